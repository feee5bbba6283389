// Bench top: one td_divide, td_sqrt, td_multiply_signed and td_divide_root side by side, with the widths the
// front-end uses.
module td_arithmetic (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        divide_start_i,
  input  logic [28:0] high_i,
  input  logic [15:0] low_i,
  input  logic [28:0] divisor_i,
  output logic        divide_done_o,
  output logic [15:0] quotient_o,
  input  logic        sqrt_clear_i,
  input  logic        sqrt_step_i,
  input  logic [1:0]  pair_i,
  output logic [27:0] root_o,
  input  logic        signed_start_i,
  input  logic [47:0] left_i,   // signed, as the two below
  input  logic [31:0] right_i,
  input  logic        minus_i,
  output logic        signed_done_o,
  output logic [79:0] signed_product_o,
  input  logic        both_start_i,
  input  logic [5:0]  steps_i,
  input  logic [54:0] size_i,
  input  logic [25:0] length_i,
  output logic        both_done_o,
  output logic [59:0] mean_o,
  output logic [29:0] rms_o
);
  td_divide #(
    .DivWidth (29),
    .QuotWidth(16)
  ) u_divide (
    .clk_i,
    .rst_ni,
    .start_i   (divide_start_i),
    .high_i,
    .low_i,
    .divisor_i,
    .done_o    (divide_done_o),
    .quotient_o
  );

  td_sqrt #(
    .RootWidth(28)
  ) u_sqrt (
    .clk_i,
    .rst_ni,
    .clear_i(sqrt_clear_i),
    .step_i (sqrt_step_i),
    .pair_i,
    .root_o
  );

  td_multiply_signed #(
    .AWidth(48),
    .BWidth(32)
  ) u_multiply_signed (
    .clk_i,
    .rst_ni,
    .start_i  (signed_start_i),
    .a_i      (left_i),
    .b_i      (right_i),
    .minus_i,
    .done_o   (signed_done_o),
    .high_o   (signed_product_o[79:32]),
    .low_o    (signed_product_o[31:0])
  );

  td_divide_root u_divide_root (
    .clk_i,
    .rst_ni,
    .start_i   (both_start_i),
    .steps_i,
    .size_i,
    .divisor_i (length_i),
    .done_o    (both_done_o),
    .quotient_o(mean_o),
    .root_o    (rms_o)
  );
endmodule
