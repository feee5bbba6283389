// Two elements (u1, i1 and u2, i2) measured over the half cycles of u1: channels, sums and accounts on one
// multiplier. The slot counter runs once for each valid_i; every use of the multiplier has its slots:
//   1 to 4 gain   9 to 12 all-pass   19 square of the raw u1   22 to 56 products and, at a boundary, parts (td_sums)
// and td_account takes what is free. Nothing that is measured depends on the clocks between samples.
// Limits: 64 clocks a sample, boundaries >= 24 samples apart.
module td_metrology (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               valid_i,
  input  logic [3:0][23:0]   code_i,     // u1, i1, u2, i2: signed ADC codes, steady until the next valid_i
  input  logic [3:0][23:0]   gain_i,
  input  logic [3:0][23:0]   offset_i,
  input  logic [3:0][16:0]   phase_i,
  input  logic        [1:0]  mode_i,     // 0 one element, 1 single-phase 3-wire, 2 two-element 3-wire
  input  logic        [31:0] no_load_p_i,
  input  logic        [31:0] no_load_q_i,
  output logic               busy_o,
  output logic               clip_o,
  // from td_zero_cross, steady from slot 19 on
  input  logic               boundary_i,
  input  logic               restart_i,
  input  logic        [15:0] fraction_i,
  input  logic signed [23:0] delayed_i,
  // to and from td_half_cycle
  output logic               squared_o,  // slot 23
  output logic        [47:0] square_o,   // of delayed_i
  input  logic        [24:0] half_length_i,
  input  logic        [24:0] former_length_i,
  input  logic               pair_i,
  input  logic               publishing_i,
  input  logic               whole_i,
  // calibrated words of this sample, for others: u1, i1, u2, i2 in slots 14 to 17
  output logic               word_valid_o,
  output logic        [1:0]  word_channel_o,
  output logic signed [30:0] word_o,     // 1/16 ADC code
  // results, see td_account and td_sums
  output logic               write_o,
  output logic        [5:0]  index_o,
  output logic        [31:0] data_o,
  output logic signed [63:0] p_o,
  output logic signed [63:0] q_o,
  output logic               loaded_p_o,
  output logic               loaded_q_o,
  output logic        [63:0] energy_forward_o,
  output logic        [63:0] energy_reverse_o,
  output logic        [63:0] energy_lagging_o,
  output logic        [63:0] energy_leading_o,
  output logic signed [63:0] run_o
);
  // ---- slots ----------------------------------------------------------------------------------------------
  localparam logic [5:0] LastSlot = 6'd62;
  localparam logic [5:0] SquareSlot = 6'd19;
  logic [5:0] slot_d, slot_q;

  assign busy_o = slot_q != '0;
  assign slot_d = valid_i ? 6'd1 : (slot_q == LastSlot || slot_q == '0 ? '0 : slot_q + 1'b1);

  always_ff @(posedge clk_i) begin
    slot_q <= rst_ni ? slot_d : '0;
  end

  // ---- the multiplier -------------------------------------------------------------------------------------
  logic start_channels, start_sums, start_account, start_square, next_sums, free_q;
  logic signed [51:0] a_channels, a_sums, a_account, a_square;
  logic signed [34:0] b_channels, b_sums, b_account, b_square;
  logic signed [80:0] product;

  assign start_square = slot_q == SquareSlot;
  assign a_square     = start_square ? 52'(delayed_i) : '0;
  assign b_square     = start_square ? 35'(delayed_i) : '0;
  assign squared_o    = slot_q == SquareSlot + 6'd4;
  assign square_o     = product[47:0];

  // td_account may use slot 0, 5 to 8, 13 to 18, and from 20 on those that td_sums leaves.
  always_ff @(posedge clk_i) begin
    free_q <= !next_sums && (slot_d == '0 || (slot_d >= 6'd5 && slot_d <= 6'd8)
                          || (slot_d >= 6'd13 && slot_d <= 6'd18) || slot_d >= 6'd20);
  end

  td_product u_product (
    .clk_i,
    .rst_ni,
    .start_i  (start_channels || start_sums || start_account || start_square),
    .a_i      (a_channels | a_sums | a_square | (start_account ? a_account : '0)),
    .b_i      (b_channels | b_sums | b_square | (start_account ? b_account : '0)),
    .product_o(product)
  );

  // ---- channels, sums, accounts ------------------------------------------------------------------------------
  logic settled, closed, gap;
  logic        [3:0]  sum_place;
  logic               former_sum;
  logic signed [54:0] sum;

  td_channels u_channels (
    .clk_i,
    .rst_ni,
    .slot_i       (slot_q),
    .next_i       (slot_d),
    .settled_i    (settled),
    .code_i,
    .offset_i,
    .gain_i,
    .phase_i,
    .start_o      (start_channels),
    .a_o          (a_channels),
    .b_o          (b_channels),
    .product_i    (product),
    .clip_o,
    .write_o      (word_valid_o),
    .channel_o    (word_channel_o),
    .word_o
  );

  td_sums u_sums (
    .clk_i,
    .rst_ni,
    .slot_i        (slot_q),
    .opposed_i     (mode_i == 2'd2),
    .both_i        (mode_i != 2'd0),
    .write_i       (word_valid_o),
    .channel_i     (word_channel_o),
    .word_i        (word_o),
    .settled_o     (settled),
    .boundary_i,
    .restart_i,
    .fraction_i,
    .next_o        (next_sums),
    .start_o       (start_sums),
    .a_o           (a_sums),
    .b_o           (b_sums),
    .product_i     (product),
    .closed_o      (closed),
    .gap_o         (gap),
    .index_i       (sum_place),
    .former_i      (former_sum),
    .sum_o         (sum),
    .run_o
  );

  td_account u_account (
    .clk_i,
    .rst_ni,
    .mode_i,
    .no_load_p_i,
    .no_load_q_i,
    .closed_i     (closed),
    .gap_i        (gap),
    .half_length_i,
    .former_length_i,
    .pair_i,
    .sum_o        (sum_place),
    .former_o     (former_sum),
    .sum_i        (sum),
    .free_i       (free_q),
    .start_o      (start_account),
    .a_o          (a_account),
    .b_o          (b_account),
    .product_i    (product),
    .write_o,
    .index_o,
    .data_o,
    .publishing_i,
    .whole_i,
    .p_o,
    .q_o,
    .loaded_p_o,
    .loaded_q_o,
    .energy_forward_o,
    .energy_reverse_o,
    .energy_lagging_o,
    .energy_leading_o
  );

`ifdef FORMAL
  localparam int Budget = 62;
  `include "td_budget.svh"
  always_ff @(posedge clk_i) if (f_past && rst_ni) assert (slot_q == '0 || 7'(slot_q) == f_clock + 7'd1);
`endif
endmodule
