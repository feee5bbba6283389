// Pipelined signed multiplier that all blocks share: product_o = a_i * b_i modulo 2^81, 4 clocks later.
// Six 18 x 18 products (one DSP each) are summed in two steps, so no path crosses a whole multiplication.
// A new pair may come with every clock. start_i only spares the pipeline work: product_o keeps its value
// when no product is due.
module td_product (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               start_i,
  input  logic signed [51:0] a_i,
  input  logic signed [34:0] b_i,
  output logic signed [80:0] product_o
);
  logic        [3:1]  run_q;
  logic signed [51:0] a_q;
  logic signed [34:0] b_q;
  logic signed [17:0] a0, a1, a2, b0, b1;  // digits of 17 bits, the top ones signed
  logic signed [35:0] p00_q, p10_q, p20_q, p01_q, p11_q, p21_q;
  logic signed [63:0] outer_q, middle_q;  // above the lowest 17 bits
  logic [16:0] low_q;

  assign a0 = {1'b0, a_q[16:0]};
  assign a1 = {1'b0, a_q[33:17]};
  assign a2 = a_q[51:34];
  assign b0 = {1'b0, b_q[16:0]};
  assign b1 = b_q[34:17];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) run_q <= '0;
    else run_q <= {run_q[2:1], start_i};
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      a_q <= a_i;
      b_q <= b_i;
    end
    if (run_q[1]) begin
      p00_q <= a0 * b0;
      p10_q <= a1 * b0;
      p20_q <= a2 * b0;
      p01_q <= a0 * b1;
      p11_q <= a1 * b1;
      p21_q <= a2 * b1;
    end
    if (run_q[2]) begin
      // p00 and p10 are not negative: p20 and p21 stand right above them.
      outer_q  <= 64'($signed({p20_q, p00_q[33:17]})) + $signed({p21_q[29:0], p10_q[33:0]});
      middle_q <= 64'(p01_q) + 64'($signed({p11_q, 17'd0}));
      low_q    <= p00_q[16:0];
    end
    if (run_q[3]) product_o <= {outer_q + middle_q, low_q};
  end
endmodule
