// Rapid voltage changes of Urms(1/2), IEC 61000-4-30 section 5.11 (2015). The voltage is steady when
// the last count_i values, the newest included, all lie within a limit of their mean: threshold_i
// while it was steady, threshold_i - hysteresis_i while it was not. A change starts when the voltage
// ceases to be steady and ends when it is steady again. A dip or swell in between discards it.
//
// event_o is high for one clock, 1 clock after the step_i that comes DecideSteps steps after the one
// with a fresh_i value; kind_o 11 start, 12 end. At a start value_o is the value that was too far off
// and extra_o the mean before it. At an end value_o is dUmax, the largest distance of a value in the
// change from that mean, but at least extra_o, which is dUss, the distance of the two means; extra_o
// bit 31 tells that the change was discarded, the rest of both is then 0. The values in the change
// are those up to the one before the count_i that are steady again. The three are good with event_o only.
//
// One adder works through a list of rows for each value, over a memory that holds the ring and the words
// between them; all values of the ring are then held against the mean, one a clock.
// Limits: count_i from 2 to 127, steady while enable_i is high; fresh_i at most every DecideSteps + 1
// steps, and DecideSteps x the clocks between steps at least 192.
module td_rapid_change #(
  parameter int DecideSteps = 4
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        step_i,        // once a sample
  input  logic        fresh_i,       // urms_i is new with this step
  input  logic        urms_valid_i,
  input  logic [27:0] urms_i,        // 1/16 ADC code, as all below
  input  logic        disturbed_i,   // a dip or swell lasts
  input  logic [27:0] threshold_i,
  input  logic [27:0] hysteresis_i,
  input  logic [6:0]  count_i,       // values in one second: 100 or 120
  output logic        event_o,
  output logic [5:0]  kind_o,
  output logic [27:0] value_o,
  output logic [31:0] extra_o,
  output logic        steady_o,
  output logic [27:0] mean_o         // of the last count_i values, once there are so many
);
  localparam logic [5:0] KindStart = 6'd11;
  localparam logic [5:0] KindEnd = 6'd12;

  // Rows of the list; those in between are numbered from here.
  localparam logic [4:0] Rest = 5'd0;
  localparam logic [4:0] Divide = 5'd19;  // waits for the mean
  localparam logic [4:0] Scan = 5'd20;  // stays until the ring is through
  localparam logic [4:0] Settle = 5'd21;
  localparam logic [4:0] Decide = 5'd27;  // waits for the step of the decision

  typedef enum logic [2:0] {
    Fresh,
    Sum,
    Before,
    Far,
    Threshold,
    Hysteresis
  } word_e;
  typedef enum logic [1:0] {
    FromSum,
    FromInput,
    FromThreshold,
    FromHysteresis
  } source_e;
  // acc; word; word + acc; word - acc; word - mean; |acc|, the word being 0; the larger of the word and what
  // has been taken from it
  typedef enum logic [2:0] {
    Keep,
    Load,
    Add,
    Take,
    TakeMean,
    Size,
    Larger
  } operation_e;

  logic        [4:0]  row_q;
  logic        [34:0] memory_q [256];  // the ring, then word_e
  logic [34:0] read_q, word_q, put, other;
  logic signed [34:0] acc_q;
  logic [27:0] mean_q, limit_q, quotient;  // limit_q: of a distance; then extra_o
  logic [6:0] place_q, at_q, fill_q;
  logic        [7:0]  since_q;   // values from the start of the change on, up to count_i + 1
  logic        [2:0]  wait_q;    // steps to the decision
  logic        [2:0]  on_q;      // Scan: read_q, word_q, acc_q is of the ring
  logic steady_q, change_q, discarded_q, divided, begins;
  logic full, decide, over, negative, discard;
  logic               close_q;   // all values lie close to their mean
  logic        [29:0] beside_limit;
  word_e from, into;
  source_e source;
  operation_e operation, operation_q;
  logic from_ring, into_ring, write, blank, minus;

  assign full     = fill_q == count_i;
  assign over     = since_q > {1'b0, count_i};  // the value that left the window lies in the change
  assign negative = acc_q[34];
  assign begins   = row_q == Rest && step_i && fresh_i && urms_valid_i;
  assign decide   = row_q == Decide && step_i && wait_q == 3'd1;

  // ---- the list: what a row reads is there two rows later; its operation is done with the next row --------
  always_comb begin
    from      = Before;
    from_ring = 1'b0;
    into      = Fresh;
    into_ring = 1'b0;
    write     = 1'b0;
    source    = FromSum;
    operation = Keep;
    blank     = 1'b0;
    case (row_q)
      Rest: begin
        write  = begins;
        source = FromInput;
      end
      // The mean before a change is the last one that was steady: before - (before - mean).
      5'd1: begin
        write  = 1'b1;
        into   = Threshold;
        source = FromThreshold;
      end
      5'd2: begin
        write     = 1'b1;
        into      = Hysteresis;
        source    = FromHysteresis;
        operation = TakeMean;
      end
      5'd3: operation = Take;
      5'd4: from_ring = 1'b1;
      5'd5: begin
        write     = close_q;
        into      = Before;
        operation = Load;
      end
      // The largest distance from it of a value that has left the window, from the change's second window on.
      5'd7: operation = Take;
      5'd8: begin
        from      = Far;
        blank     = 1'b1;
        operation = Size;
      end
      5'd9: begin
        from      = Far;
        operation = Take;
      end
      5'd10: begin
        from      = Fresh;
        blank     = !over;
        operation = over ? Larger : Load;
      end
      5'd11: begin
        from_ring = 1'b1;
        operation = Load;
      end
      // The value into the ring, in place of the oldest, and into the sum.
      5'd12: begin
        write     = 1'b1;
        into      = Far;
        from      = Sum;
        operation = full ? Take : Keep;
      end
      5'd13: begin
        write     = 1'b1;
        into_ring = 1'b1;
        if (full)              operation = Take;
        else if (fill_q != '0) operation = Add;
      end
      5'd15: begin
        write = 1'b1;
        into  = Sum;
        from  = Hysteresis;
      end
      5'd16: begin
        from      = Threshold;
        operation = Load;
      end
      5'd17: operation = steady_q ? Load : Take;
      Scan: begin
        from_ring = 1'b1;
        operation = TakeMean;
      end
      // At an end the distance of the two means and the largest one; at a start the mean before and the value.
      5'd22: operation = change_q ? TakeMean : Load;
      5'd23: begin
        from      = change_q ? Far : Fresh;
        blank     = 1'b1;
        operation = Size;
      end
      5'd24: begin
        from      = change_q ? Far : Fresh;
        operation = Take;
      end
      5'd25: operation = change_q ? Larger : Load;
      default: ;
    endcase
  end

  // ---- memory: one read port, registered twice, one write port -------------------------------------
  always_comb begin
    unique case (source)
      FromInput:      put = 35'(urms_i);
      FromThreshold:  put = 35'(threshold_i);
      FromHysteresis: put = 35'(hysteresis_i);
      default:        put = acc_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (write) memory_q[into_ring?{1'b0, at_q} : {5'h10, into}] <= put;
    read_q <= memory_q[from_ring?{1'b0, at_q} : {5'h10, from}];
    if (blank) word_q <= '0;
    else word_q <= read_q;
  end

  // ---- the adder --------------------------------------------------------------------------------------
  assign minus = operation_q == Take || operation_q == TakeMean
              || ((operation_q == Size || operation_q == Larger) && negative);

  always_comb begin
    other = acc_q;
    if (operation_q == Load || (operation_q == Larger && !negative)) other = '0;
    if (operation_q == TakeMean) other = {7'd0, mean_q};
    if (minus) other = ~other;
  end

  always_ff @(posedge clk_i) begin
    operation_q <= operation;
    if (!rst_ni || discard) acc_q <= '0;
    else if (operation_q != Keep) acc_q <= 35'(({word_q, 1'b1} + {other, minus}) >> 1);
  end

  td_divide #(
    .DivWidth (7),
    .QuotWidth(28)
  ) u_mean (
    .clk_i,
    .rst_ni,
    .start_i   (row_q == 5'd15),
    .high_i    (acc_q[34:28]),
    .low_i     (acc_q[27:0]),
    .divisor_i (count_i),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  // The limit less the distance: its sign tells of one too far off. -x is ~x + 1.
  assign beside_limit = {1'b0, limit_q, 1'b0} - {1'b0, acc_q[27:0] ^ {28{negative}}, negative};

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !enable_i) begin
      row_q   <= Rest;
      mean_q  <= '0;
      place_q <= '0;
      at_q    <= '0;
      fill_q  <= '0;
      on_q    <= '0;
      close_q <= 1'b0;
    end else begin
      on_q <= {on_q[1:0], row_q == Scan && at_q != fill_q};
      if (on_q[2] && beside_limit[29]) close_q <= 1'b0;
      case (row_q)
        Rest: begin
          at_q <= place_q;
          if (begins) begin
            row_q <= row_q + 1'b1;
          end else if (step_i && fresh_i) begin
            fill_q  <= '0;
            place_q <= '0;
          end
        end
        5'd15: begin
          row_q <= row_q + 1'b1;
          if (!full) fill_q <= fill_q + 1'b1;
        end
        Divide:
        if (divided) begin
          row_q   <= Scan;
          mean_q  <= quotient;
          at_q    <= '0;
          close_q <= full;
          place_q <= place_q == count_i - 1'b1 ? 7'd0 : place_q + 1'b1;
        end
        Scan: begin
          if (at_q != fill_q) at_q <= at_q + 1'b1;
          else if (on_q[1:0] == '0) row_q <= Settle;
        end
        Decide: if (decide) row_q <= Rest;
        default: row_q <= row_q + 1'b1;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || discard || (row_q == Divide && negative)) limit_q <= '0;
    else if (row_q == Divide || row_q == 5'd25) limit_q <= acc_q[27:0];
  end

  // ---- decisions ----------------------------------------------------------------------------------
  assign discard = step_i && ((row_q == Rest && fresh_i && !urms_valid_i) || (decide && change_q && disturbed_i));

  always_ff @(posedge clk_i) begin
    event_o     <= 1'b0;
    discarded_q <= discard;
    if (!rst_ni || !enable_i) begin
      wait_q   <= '0;
      since_q  <= '0;
      steady_q <= 1'b0;
      change_q <= 1'b0;
    end else if (step_i && fresh_i && row_q == Rest) begin
      wait_q <= 3'(DecideSteps);
      if (!urms_valid_i) begin  // the window starts anew
        wait_q   <= '0;
        steady_q <= 1'b0;
        change_q <= 1'b0;
        event_o  <= change_q;
      end
    end else if (step_i && wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
      if (decide) begin
        steady_q <= close_q;
        if (change_q) begin
          if (!over) since_q <= since_q + 1'b1;
          if (disturbed_i || close_q) begin
            change_q <= 1'b0;
            event_o  <= 1'b1;
          end
          if (disturbed_i) steady_q <= 1'b0;
        end else if (steady_q && !close_q && !disturbed_i) begin
          change_q <= 1'b1;
          since_q  <= 8'd2;  // the next value is the second
          event_o  <= 1'b1;
        end
      end
    end
  end

  assign kind_o   = change_q ? KindStart : KindEnd;
  assign value_o  = acc_q[27:0];
  assign extra_o  = {discarded_q, 3'd0, limit_q};
  assign steady_o = steady_q;
  assign mean_o   = mean_q;

`ifdef FORMAL
  `include "td_event_step.svh"
`endif
endmodule
