// Serial multiplier: product_o = a_i * b_i, unsigned, one bit of b_i a clock.
// Latency: done_o is high for one clock, BWidth + 1 clocks after start_i; the product holds until
// the next start_i. A start_i while busy starts over.
module td_multiply #(
  parameter int AWidth = 52,
  parameter int BWidth = 29
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     start_i,
  input  logic [AWidth-1:0]        a_i,
  input  logic [BWidth-1:0]        b_i,
  output logic                     done_o,
  output logic [AWidth+BWidth-1:0] product_o
);
  localparam int CountWidth = $clog2(BWidth + 1);

  logic [AWidth-1:0]        a_q;
  logic [BWidth-1:0]        b_q;
  logic [AWidth+BWidth-1:0] product_q;
  logic [CountWidth-1:0]    left_q;
  logic                     done_q;

  assign done_o    = done_q;
  assign product_o = product_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      a_q       <= '0;
      b_q       <= '0;
      product_q <= '0;
      left_q    <= '0;
      done_q    <= 1'b0;
    end else begin
      done_q <= !start_i && left_q == CountWidth'(1);
      if (start_i) begin
        a_q       <= a_i;
        b_q       <= b_i;
        product_q <= '0;
        left_q    <= CountWidth'(BWidth);
      end else if (left_q != '0) begin
        product_q <= (product_q << 1) + (b_q[BWidth-1] ? (AWidth+BWidth)'(a_q) : '0);
        b_q       <= b_q << 1;
        left_q    <= left_q - 1'b1;
      end
    end
  end
endmodule
