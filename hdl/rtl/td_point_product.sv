// Product of a point and a sine, two clocks behind its operands, a product a clock. In halves, so that no
// clock holds both a multiplier and the addition behind it.
module td_point_product (
  input  logic               clk_i,
  input  logic               run_i,      // 0: all stands still
  input  logic signed [24:0] point_i,
  input  logic signed [17:0] sine_i,
  output logic signed [42:0] product_o
);
  logic signed [25:0] high_q;
  logic signed [35:0] low_q;

  always_ff @(posedge clk_i) begin
    if (run_i) begin
      high_q    <= $signed(point_i[24:17]) * sine_i;
      low_q     <= $signed({1'b0, point_i[16:0]}) * sine_i;
      product_o <= $signed({high_q, 17'd0}) + 43'(low_q);
    end
  end
endmodule
