// Serial multiplier: {high_o, low_o} = a_i * b_i, signed, one bit of b_i a clock, the lowest first.
// Latency: done_o is high for one clock, BWidth + 1 clocks after start_i; the product holds until
// the next start_i. A start_i while busy starts over.
module td_multiply_signed #(
  parameter int AWidth = 48,
  parameter int BWidth = 32
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     start_i,
  input  logic signed [AWidth-1:0] a_i,
  input  logic signed [BWidth-1:0] b_i,
  output logic                     done_o,
  output logic signed [AWidth-1:0] high_o,
  output logic        [BWidth-1:0] low_o
);
  localparam int CountWidth = $clog2(BWidth + 1);

  logic signed [AWidth-1:0] a_q;
  logic signed [AWidth:0]   high_q, sum;
  logic        [BWidth-1:0] low_q;  // bits of b_i still to come, the product's lowest behind them
  logic [CountWidth-1:0]    left_q;
  logic                     done_q;

  assign done_o = done_q;
  assign high_o = high_q[AWidth-1:0];
  assign low_o  = low_q;

  always_comb begin
    sum = high_q;
    if (low_q[0]) begin
      if (left_q == CountWidth'(1)) sum = high_q - (AWidth+1)'(a_q);  // the sign of b_i
      else                          sum = high_q + (AWidth+1)'(a_q);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      a_q    <= '0;
      high_q <= '0;
      low_q  <= '0;
      left_q <= '0;
      done_q <= 1'b0;
    end else begin
      done_q <= !start_i && left_q == CountWidth'(1);
      if (start_i) begin
        a_q    <= a_i;
        high_q <= '0;
        low_q  <= b_i;
        left_q <= CountWidth'(BWidth);
      end else if (left_q != '0) begin
        high_q <= sum >>> 1;
        low_q  <= {sum[0], low_q[BWidth-1:1]};
        left_q <= left_q - 1'b1;
      end
    end
  end
endmodule
