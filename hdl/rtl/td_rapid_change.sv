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
// are those up to the one before the count_i that are steady again.
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
  localparam logic [5:0] KindEnd   = 6'd12;

  typedef enum logic [2:0] {Idle, Fetch, Swap, Scan, Mean, Judge, Wait} phase_e;

  phase_e      phase_q;
  logic [27:0] ring_q [128];
  logic [27:0] read_q, word_q, fresh_q, oldest_q, low_q, high_q, mean_q, before_q, far_q;
  logic [34:0] sum_q;
  logic [6:0]  place_q, at_q, fill_q;
  logic [7:0]  since_q;   // values from the start of the change on, up to count_i + 1
  logic [2:0]  wait_q;    // steps to the decision
  logic [1:0]  valid_q;   // Scan: read_q, word_q is of the window
  logic        scanned_q, steady_q, change_q, divided;
  logic [27:0] quotient;
  logic        full, decide, over;
  logic [2:0]  judge_q;   // place in what is judged, one distance a clock
  logic [27:0] from, to, apart_q;
  logic [27:0] limit_q, spread_q, far_next_q, settled_q, largest_q;
  logic        close_q;   // all values lie close to their mean

  function automatic logic [27:0] distance(input logic [27:0] a, input logic [27:0] b);
    distance = a > b ? a - b : b - a;
  endfunction

  assign full   = fill_q == count_i;
  assign decide = step_i && phase_q == Wait && wait_q == 3'd1;
  assign over   = since_q > {1'b0, count_i};  // the value that left the window lies in the change

  always_comb begin
    from = mean_q;
    to   = before_q;
    if (judge_q == 3'd0) to = high_q;
    else if (judge_q == 3'd1) to = low_q;
    else if (judge_q == 3'd2) from = oldest_q;
  end

  td_divide #(
    .DivWidth (7),
    .QuotWidth(28)
  ) u_mean (
    .clk_i,
    .rst_ni,
    .start_i   (phase_q == Scan && scanned_q),
    .high_i    (sum_q[34:28]),
    .low_i     (sum_q[27:0]),
    .divisor_i (count_i),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  // ---- the ring: one read port, registered twice, one write port ----------------------------------
  always_ff @(posedge clk_i) begin
    if (phase_q == Swap) ring_q[place_q] <= fresh_q;
    read_q <= ring_q[phase_q == Scan ? at_q : place_q];
    word_q <= read_q;
  end

  // ---- sum, smallest and largest of the window --------------------------------------------------
  always_ff @(posedge clk_i) begin
    if (!rst_ni || !enable_i) begin
      phase_q   <= Idle;
      fresh_q   <= '0;
      oldest_q  <= '0;
      low_q     <= '0;
      high_q    <= '0;
      mean_q    <= '0;
      sum_q     <= '0;
      place_q   <= '0;
      at_q      <= '0;
      fill_q    <= '0;
      scanned_q <= 1'b0;
      valid_q   <= '0;
      judge_q   <= '0;
      close_q   <= 1'b0;
    end else begin
      unique case (phase_q)
        Idle: begin
          if (step_i && fresh_i && urms_valid_i) begin
            fresh_q <= urms_i;
            phase_q <= Fetch;
          end else if (step_i && fresh_i) begin
            sum_q   <= '0;
            fill_q  <= '0;
            place_q <= '0;
          end
        end
        Fetch: phase_q <= Swap;  // the oldest value comes out, place_q has been steady since Idle
        Swap: begin
          oldest_q  <= word_q;
          sum_q     <= sum_q + 35'(fresh_q) - (full ? 35'(word_q) : 35'd0);
          low_q     <= fresh_q;
          high_q    <= fresh_q;
          at_q      <= '0;
          scanned_q <= 1'b0;
          valid_q   <= '0;
          phase_q   <= Scan;
          if (!full) fill_q <= fill_q + 1'b1;
        end
        Scan: begin
          at_q      <= at_q + 1'b1;
          scanned_q <= at_q == fill_q;
          valid_q   <= {valid_q[0], 1'b1};
          if (valid_q[1]) begin  // word_q is ring_q[at_q - 2]
            if (word_q < low_q) low_q <= word_q;
            if (word_q > high_q) high_q <= word_q;
          end
          if (scanned_q) phase_q <= Mean;
        end
        Mean: begin
          if (divided) begin
            mean_q  <= quotient;
            place_q <= place_q == count_i - 1'b1 ? 7'd0 : place_q + 1'b1;
            judge_q <= '0;
            phase_q <= Judge;
          end
        end
        Judge: begin
          judge_q <= judge_q + 1'b1;
          apart_q <= distance(from, to);
          unique case (judge_q)
            3'd0: limit_q <= steady_q ? threshold_i : (threshold_i > hysteresis_i ? threshold_i - hysteresis_i : 28'd0);
            3'd1: spread_q <= apart_q;
            3'd2: if (apart_q > spread_q) spread_q <= apart_q;
            3'd3: far_next_q <= over && apart_q > far_q ? apart_q : far_q;
            3'd4: begin
              settled_q <= apart_q;
              close_q   <= full && spread_q <= limit_q;
            end
            default: begin
              largest_q <= far_next_q > settled_q ? far_next_q : settled_q;
              phase_q   <= Wait;
            end
          endcase
        end
        Wait: if (decide) phase_q <= Idle;
        default: phase_q <= Idle;
      endcase
    end
  end

  // ---- decisions ----------------------------------------------------------------------------------
  always_ff @(posedge clk_i) begin
    event_o <= 1'b0;
    if (!rst_ni || !enable_i) begin
      wait_q   <= '0;
      since_q  <= '0;
      steady_q <= 1'b0;
      change_q <= 1'b0;
      before_q <= '0;
      far_q    <= '0;
      kind_o   <= '0;
      value_o  <= '0;
      extra_o  <= '0;
    end else if (step_i && fresh_i && phase_q == Idle) begin
      wait_q <= 3'(DecideSteps);
      if (!urms_valid_i) begin  // the window starts anew
        wait_q   <= '0;
        steady_q <= 1'b0;
        change_q <= 1'b0;
        event_o  <= change_q;
        kind_o   <= KindEnd;
        value_o  <= '0;
        extra_o  <= 32'h80000000;
      end
    end else if (step_i && wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
      if (decide) begin
        steady_q <= close_q;
        if (close_q) before_q <= mean_q;
        if (change_q) begin
          far_q <= far_next_q;
          if (!over) since_q <= since_q + 1'b1;
          if (disturbed_i || close_q) begin
            change_q <= 1'b0;
            event_o  <= 1'b1;
            kind_o   <= KindEnd;
            value_o  <= disturbed_i ? 28'd0 : largest_q;
            extra_o  <= disturbed_i ? 32'h80000000 : 32'(settled_q);
          end
          if (disturbed_i) steady_q <= 1'b0;
        end else if (steady_q && !close_q && !disturbed_i) begin
          change_q <= 1'b1;
          since_q  <= 8'd2;  // the next value is the second
          far_q    <= '0;
          event_o  <= 1'b1;
          kind_o   <= KindStart;
          value_o  <= fresh_q;
          extra_o  <= 32'(before_q);
        end
      end
    end
  end

  assign steady_o = steady_q;
  assign mean_o   = mean_q;

`ifdef FORMAL
  `include "td_event_step.svh"
`endif
endmodule
