// Calibration and DC removal of the four channels u1, i1, u2, i2, one after the other on the shared
// multiplier (td_product), in fixed clocks of a sample (slot_i):
//   gain      x = 16 (code + offset) gain / 2^22, limited to 28 bits (clip_o)
//   DC        y = x - dc    accumulator += y    dc = accumulator / 2^12     one pole of 0.31 Hz at 8 kS/s
//             z = y - y / 2^13 + y / 2^16, which takes off the pole's gain of 1 + 1.03e-4 at 45 to 65 Hz
//   phase     w[n] = z[n-1] + a (z[n] - w[n-1]) with 4 bits more, a = phase / 2^17: an all-pass that
//             delays by (1 - a) / (1 + a) samples and leaves every magnitude as it is
// Divisions round down, word_o rounds to nearest. For the first 4096 samples nothing is taken off; their
// mean is then the start value of dc, so an offset is gone after half a second. The first sample after reset finds
// memories that hold anything: what it reads there counts as 0.
// word_o of channel c comes with write_o in slot 14 + c, 1/16 code.
module td_channels (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic        [5:0]  slot_i,
  input  logic        [5:0]  next_i,      // slot_i of the next clock
  input  logic               settled_i,   // 4096 samples have gone by before this one
  input  logic [3:0][23:0]   code_i,      // signed ADC codes, steady in slots 0 to 4
  input  logic [3:0][23:0]   offset_i,    // signed
  input  logic [3:0][23:0]   gain_i,      // signed
  input  logic [3:0][16:0]   phase_i,     // signed
  output logic               start_o,     // operands for td_product; 0 in other slots
  output logic signed [51:0] a_o,
  output logic signed [34:0] b_o,
  input  logic signed [80:0] product_i,   // 4 slots after its operands
  output logic               clip_o,
  output logic               write_o,
  output logic        [1:0]  channel_o,
  output logic signed [30:0] word_o
);
  // Stage s of channel c runs in slot s + c; all stages of one slot find their channel in its low bits.
  function automatic logic in_run(input logic [5:0] slot, input logic [5:0] first);
    in_run = slot >= first && slot < first + 6'd4;
  endfunction

  logic [1:0] c_mean_q, c_dc_q, c_phase_q, c_late_q;
  logic dc_on_q, late_on_q;  // slots 7 to 10, 13 to 16
  logic               parity_q;               // flips with each sample
  logic               first_q;                // no sample has been since reset
  logic signed [24:0] shifted_q;
  logic signed [23:0] gain_q;
  logic signed [16:0] phase_q;
  logic signed [27:0] x_q;
  logic signed [62:0] scaled;
  logic wide, limited;
  logic signed [28:0] mean_q, y_q, z_q;
  logic signed [16:0] part;
  logic signed [40:0] dc_q [4];               // accumulators
  logic signed [40:0] held, read_q, held_q;
  logic signed [28:0] z_line_q [8];           // z of this sample and of the one before
  logic signed [34:0] w_line_q [4];           // w of the sample before
  logic signed [28:0] z_then_q;
  logic signed [34:0] w_then_q;
  logic signed [35:0] step_q;
  logic signed [34:0] w_q;
  logic signed [80:0] moved;

  always_ff @(posedge clk_i) begin  // those that address memories, from the slot before
    c_mean_q  <= 2'(slot_i - 6'd4);   // slots 5 to 8
    c_dc_q    <= 2'(slot_i - 6'd6);   // 7 to 10
    c_phase_q <= 2'(slot_i - 6'd7);   // 8 to 11
    c_late_q  <= 2'(slot_i - 6'd12);  // 13 to 16
    dc_on_q   <= rst_ni && in_run(slot_i, 6'd6);
    late_on_q <= rst_ni && in_run(slot_i, 6'd12);
    if (!rst_ni) first_q <= 1'b1;
    else if (slot_i == 6'd17) first_q <= 1'b0;
  end

  // ---- operands -------------------------------------------------------------------------------------
  // Each is 0 but in its slots, so that none needs to be chosen.
  always_ff @(posedge clk_i) begin
    shifted_q <= '0;
    gain_q    <= '0;
    phase_q   <= '0;
    if (in_run(next_i, 6'd1)) begin
      shifted_q <= 25'($signed(code_i[slot_i[1:0]])) + 25'($signed(offset_i[slot_i[1:0]]));
      gain_q    <= gain_i[slot_i[1:0]];
    end
    if (in_run(next_i, 6'd9)) phase_q <= phase_i[slot_i[1:0]];
  end

  assign start_o = in_run(slot_i, 6'd1) || in_run(slot_i, 6'd9);
  assign a_o     = 52'(shifted_q) | 52'(step_q);
  assign b_o     = 35'(gain_q) | 35'(phase_q);

  // ---- gain: product in slots 5 to 8 ----------------------------------------------------------------
  assign scaled  = product_i[80:18];
  assign wide    = scaled[62:27] != {36{scaled[62]}};
  assign limited = wide || (scaled[62] && scaled[26:0] == '0);  // the lowest number has no opposite
  assign clip_o  = in_run(slot_i, 6'd5) && limited;

  // ---- DC removal -----------------------------------------------------------------------------------
  assign held = dc_q[c_mean_q];
  assign part = 17'(y_q >>> 16) - 17'(y_q >>> 13);

  always_ff @(posedge clk_i) begin
    if (in_run(slot_i, 6'd5)) x_q <= limited ? {scaled[62], {26{!scaled[62]}}, 1'b1} : scaled[27:0];
    // of the channel whose x_q comes with the next slot
    read_q <= first_q ? '0 : held;
    mean_q <= settled_i && !first_q ? held[40:12] : '0;
    held_q <= read_q;
    if (in_run(slot_i, 6'd6)) y_q <= 29'(x_q) - mean_q;
    if (in_run(slot_i, 6'd7)) z_q <= y_q + (settled_i ? 29'(part) : 29'sd0);
    if (dc_on_q) dc_q[c_dc_q] <= held_q + 41'(y_q);
  end

  // ---- all-pass -------------------------------------------------------------------------------------
  assign moved = 81'($signed({z_then_q, 4'd0})) + (product_i >>> 17);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) parity_q <= 1'b0;
    else if (slot_i == 6'd1) parity_q <= !parity_q;
  end

  always_ff @(posedge clk_i) begin
    z_then_q <= first_q ? '0 : z_line_q[{!parity_q, 2'(slot_i)}];  // slots 12 to 15
    w_then_q <= first_q ? '0 : w_line_q[c_dc_q];
    step_q   <= '0;
    if (in_run(slot_i, 6'd8)) step_q <= $signed({z_q[28], z_q[28], z_q[28], z_q, 4'd0}) - 36'(w_then_q);
    if (in_run(slot_i, 6'd8)) z_line_q[{parity_q, c_phase_q}] <= z_q;
    if (late_on_q) w_q <= moved[34:0];
    if (late_on_q) w_line_q[c_late_q] <= moved[34:0];
  end

  assign write_o   = in_run(slot_i, 6'd14);
  assign channel_o = 2'(slot_i - 6'd14);
  assign word_o    = 31'((w_q + 35'sd8) >>> 4);
endmodule
