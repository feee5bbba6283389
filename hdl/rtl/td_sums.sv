// Products of the four channels and their sums over the half cycles of u1, on the shared multiplier
// (td_product), in fixed clocks of a sample (slot_i). n: the newest word of td_channels, which is one
// sample behind the ADC; index k of a sum:
//   0 u1 u1   1 i1 i1   2 u1 i1   4 u2 u2   5 i2 i2   6 u2 i2       of word n - 7, split at a boundary
//   7 (u1 + u2)^2   9 (i1 - i2)^2, with opposed_i (u1 - u2)^2 and (i1 + i2)^2
//   3, 8  reactive: i[n-36] (u[n-72] - u[n]) / 2 of elements 1 and 2, mean sin(36 w) Q, w = 2 pi f / fs:
//         exactly 90 degrees at any frequency; divided by sin(36 w) in td_account
// Products are rounded down by 2^16 (reactive 2^17), so sums count 2^8 squared codes x sample. At a
// boundary the product is split by the covered fraction.
//
// closed_o is high for one clock in slot 49 when a half cycle ended; from then until the next boundary sum_o gives the
// sums of index_i, with former_i those of the half cycle before. Their energy is sum_o and more_o, what lies between
// the last fixed boundary of a loss and the first crossing after it (restart_i) and belongs to no half cycle. run_o is the active energy of every sample up to word n - 7, of both elements with both_i.
module td_sums (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,     // empty the sums of index clear_place_i
  input  logic        [3:0]  clear_place_i,
  input  logic        [5:0]  slot_i,
  input  logic               opposed_i,
  input  logic               both_i,
  input  logic               write_i,     // from td_channels
  input  logic        [1:0]  channel_i,
  input  logic signed [30:0] word_i,
  output logic               settled_o,   // 4096 samples lie before this one
  input  logic               boundary_i,  // from td_zero_cross, steady from slot 20 on
  input  logic               restart_i,
  input  logic        [15:0] fraction_i,
  output logic               start_o,     // operands for td_product; 0 in other slots
  output logic signed [51:0] a_o,
  output logic signed [34:0] b_o,
  input  logic signed [80:0] product_i,   // 4 slots after its operands
  output logic               closed_o,
  input  logic        [3:0]  index_i,
  input  logic               former_i,
  output logic signed [54:0] sum_o,
  output logic signed [54:0] more_o,
  output logic signed [63:0] run_o
);
  localparam logic [5:0] FirstRead    = 6'd18;
  localparam logic [5:0] FirstWord    = 6'd20;  // read, two clocks later
  localparam logic [5:0] FirstProduct = 6'd22;  // operands chosen; they leave with the next clock
  localparam logic [5:0] FirstValue   = 6'd28;  // product rounded
  localparam logic [5:0] FirstPart    = 6'd32;  // operands chosen
  localparam logic [5:0] FirstClosing = 6'd38;  // part rounded
  localparam logic [3:0] Sums         = 4'd10;

  // Whether a run of one clock a sum is on; for what is registered, from the clock before.
  function automatic logic in_run(input logic [5:0] slot, input logic [5:0] first);
    in_run = slot >= first && slot < first + 6'(Sums);
  endfunction

  // ---- words of the last samples: one memory, one read a clock -------------------------------------------
  logic        [6:0]  place_q, delay;  // place of the newest word
  logic        [12:0] count_q;         // samples so far, this one included, up to 4097
  logic        [1:0]  channel;
  logic signed [30:0] line_q [512];
  logic signed [30:0] read_q, word_q;
  logic               held_q;          // that sample has been

  assign settled_o = count_q > 13'd4096;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      place_q <= '0;
      count_q <= '0;
    end else if (slot_i == 6'd1) begin
      place_q <= place_q + 1'b1;
      if (!settled_o) count_q <= count_q + 1'b1;
    end
  end

  always_comb begin  // u, i, i 36 ago, u 72 ago, newest u of element 1, then of element 2
    channel = 2'd0;
    delay   = 7'd7;
    unique case (slot_i)
      FirstRead + 6'd1: channel = 2'd1;
      FirstRead + 6'd2: begin channel = 2'd1; delay = 7'd36; end
      FirstRead + 6'd3: delay = 7'd72;
      FirstRead + 6'd4: delay = 7'd0;
      FirstRead + 6'd5: channel = 2'd2;
      FirstRead + 6'd6: channel = 2'd3;
      FirstRead + 6'd7: begin channel = 2'd3; delay = 7'd36; end
      FirstRead + 6'd8: begin channel = 2'd2; delay = 7'd72; end
      FirstRead + 6'd9: begin channel = 2'd2; delay = 7'd0; end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (write_i) line_q[{channel_i, place_q}] <= word_i;
    read_q <= line_q[{channel, place_q - delay}];
    held_q <= count_q > 13'(delay);
  end

  always_ff @(posedge clk_i) begin
    word_q <= held_q ? read_q : '0;  // a memory without reset: what was not written yet counts as 0
  end

  // ---- operands ---------------------------------------------------------------------------------------
  logic signed [30:0] u_q, i_q, i36_q;
  logic signed [31:0] turn_q, line_sum_q, common_q;

  always_ff @(posedge clk_i) begin
    unique case (slot_i)
      FirstWord: u_q <= word_q;
      FirstWord + 6'd1: begin
        i_q        <= word_q;
        line_sum_q <= 32'(u_q);
      end
      FirstWord + 6'd2: begin
        i36_q    <= word_q;
        common_q <= 32'(i_q);
      end
      FirstWord + 6'd3, FirstWord + 6'd8:  turn_q <= 32'(word_q);
      FirstWord + 6'd4, FirstWord + 6'd9:  turn_q <= turn_q - 32'(word_q);
      FirstWord + 6'd5: u_q <= word_q;
      FirstWord + 6'd6: begin
        i_q        <= word_q;
        line_sum_q <= opposed_i ? line_sum_q - 32'(u_q) : line_sum_q + 32'(u_q);
      end
      FirstWord + 6'd7: begin
        i36_q    <= word_q;
        common_q <= opposed_i ? common_q + 32'(i_q) : common_q - 32'(i_q);
      end
      default: ;
    endcase
  end

  logic signed [47:0] product_q [16];  // of each sum, this sample's
  logic        [3:0]  k_q, k_part_q, k_closed_q;  // k_q: of values, then of closing sums
  logic               value_on_q, part_on_q, closing_on_q;

  always_ff @(posedge clk_i) begin
    k_q          <= slot_i == FirstValue - 6'd1 || slot_i == FirstClosing - 6'd1 ? '0 : k_q + 1'b1;
    k_part_q     <= slot_i == FirstPart - 6'd1 ? '0 : k_part_q + 1'b1;
    value_on_q   <= rst_ni && in_run(slot_i, FirstValue - 6'd1);
    part_on_q    <= rst_ni && boundary_i && in_run(slot_i, FirstPart - 6'd1);
    closing_on_q <= rst_ni && boundary_i && in_run(slot_i, FirstClosing - 6'd1);
  end

  logic signed [51:0] a;
  logic signed [34:0] b;

  always_comb begin
    a = '0;
    b = '0;
    unique case (slot_i)
      FirstProduct, FirstProduct + 6'd4: begin
        a = 52'(u_q);
        b = 35'(u_q);
      end
      FirstProduct + 6'd1, FirstProduct + 6'd5: begin
        a = 52'(i_q);
        b = 35'(i_q);
      end
      FirstProduct + 6'd2, FirstProduct + 6'd6: begin
        a = 52'(u_q);
        b = 35'(i_q);
      end
      FirstProduct + 6'd3, FirstProduct + 6'd8: begin
        a = 52'(i36_q);
        b = 35'(turn_q);
      end
      FirstProduct + 6'd7: begin
        a = 52'(line_sum_q);
        b = 35'(line_sum_q);
      end
      FirstProduct + 6'd9: begin
        a = 52'(common_q);
        b = 35'(common_q);
      end
      default: begin
        if (part_on_q) begin
          a = 52'(product_q[k_part_q]);
          b = $signed({19'd0, fraction_i});
        end
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    start_o <= rst_ni && (in_run(slot_i, FirstProduct) || part_on_q);
    a_o     <= a;
    b_o     <= b;
  end

  // ---- products and their parts -----------------------------------------------------------------------
  logic signed [47:0] value_q, part_q;
  logic               halved;  // the product that comes out is a reactive one

  assign halved = slot_i == FirstValue + 6'd2 || slot_i == FirstValue + 6'd7;

  always_ff @(posedge clk_i) begin
    if (in_run(slot_i, FirstValue - 6'd1)) value_q <= halved ? product_i[64:17] : product_i[63:16];
    if (in_run(slot_i, FirstClosing - 6'd1)) part_q <= product_i[63:16] + 48'(product_i[15]);
    if (value_on_q) product_q[k_q] <= value_q;
  end

  // ---- sums: running_q since the last boundary, closing_q up to this one ----------------------------------
  logic signed [54:0] running_q [16];
  logic signed [54:0] closing_q, held_sum;

  assign held_sum = running_q[k_q];

  always_ff @(posedge clk_i) begin
    if (clear_i)                         running_q[clear_place_i] <= '0;
    else if (closing_on_q)               running_q[k_q] <= 55'(product_q[k_q]) - 55'(part_q);
    else if (value_on_q && !boundary_i) running_q[k_q] <= held_sum + 55'(value_q);
  end

  always_ff @(posedge clk_i) begin
    if (closing_on_q) closing_q <= held_sum + 55'(part_q);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) run_o <= '0;
    else if (slot_i == FirstValue + 6'd2 || (both_i && slot_i == FirstValue + 6'd6)) run_o <= run_o + 64'(value_q);
  end

  // ---- closed half cycles -------------------------------------------------------------------------------
  logic signed [54:0] half_q [32];      // two of them by turns
  logic signed [54:0] more_q [16];
  logic signed [54:0] more;
  logic               newest_q;         // which of the two
  logic               gap_q, before_q;  // there is energy of no half cycle since the last one, before the last one
  logic               split_q, last_q;
  logic        [3:0]  more_place;

  assign more_place = split_q ? k_closed_q : index_i;
  assign more       = more_q[more_place];
  assign sum_o      = half_q[{newest_q ^ former_i, index_i}];
  assign more_o     = before_q ? more : '0;

  always_ff @(posedge clk_i) begin
    k_closed_q <= k_q;
    if (!rst_ni) begin
      split_q  <= 1'b0;
      last_q   <= 1'b0;
      closed_o <= 1'b0;
      newest_q <= 1'b0;
      gap_q    <= 1'b0;
      before_q <= 1'b0;
    end else begin
      split_q  <= closing_on_q;
      last_q   <= boundary_i && slot_i == FirstClosing + 6'(Sums) - 6'd1;
      closed_o <= last_q && !restart_i;
      if (last_q) begin
        newest_q <= newest_q ^ !restart_i;
        gap_q    <= restart_i;
        before_q <= gap_q && !restart_i;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (split_q && !restart_i) half_q[{!newest_q, k_closed_q}] <= closing_q;
    if (split_q && restart_i)  more_q[k_closed_q] <= closing_q + (gap_q ? more : '0);
  end
endmodule
