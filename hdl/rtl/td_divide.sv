// Serial restoring divider: quotient_o = floor({high_i, low_i} / divisor_i).
// high_i must be below divisor_i, so the quotient fits in QuotWidth bits; divisor_i > 0.
// Latency: done_o is high for one clock, QuotWidth + 1 clocks after start_i; the quotient holds
// until the next start_i. A start_i while busy starts over.
module td_divide #(
  parameter int DivWidth  = 29,
  parameter int QuotWidth = 16
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 start_i,
  input  logic [DivWidth-1:0]  high_i,
  input  logic [QuotWidth-1:0] low_i,
  input  logic [DivWidth-1:0]  divisor_i,
  output logic                 done_o,
  output logic [QuotWidth-1:0] quotient_o
);
  localparam int CountWidth = $clog2(QuotWidth + 1);

  logic [DivWidth-1:0] divisor_q, remainder_q;
  logic [QuotWidth-1:0]  quotient_q;
  logic [CountWidth-1:0] left_q;
  logic [DivWidth:0]     shifted;
  logic [DivWidth+1:0]   beside;  // its sign tells whether the divisor fits
  logic fits, done_q;

  assign shifted    = {remainder_q, quotient_q[QuotWidth-1]};
  assign beside     = {1'b0, shifted} - {2'd0, divisor_q};
  assign fits       = !beside[DivWidth+1];
  assign done_o     = done_q;
  assign quotient_o = quotient_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      divisor_q   <= '0;
      remainder_q <= '0;
      quotient_q  <= '0;
      left_q      <= '0;
      done_q      <= 1'b0;
    end else begin
      done_q <= !start_i && left_q == CountWidth'(1);
      if (start_i) begin
        divisor_q   <= divisor_i;
        remainder_q <= high_i;
        quotient_q  <= low_i;
        left_q      <= CountWidth'(QuotWidth);
      end else if (left_q != '0) begin
        remainder_q <= fits ? beside[DivWidth-1:0] : shifted[DivWidth-1:0];
        quotient_q  <= {quotient_q[QuotWidth-2:0], fits};
        left_q      <= left_q - 1'b1;
      end
    end
  end
endmodule
