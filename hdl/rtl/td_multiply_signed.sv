// Serial multiplier: {high_o, low_o} = a_i * b_i, or its negative with minus_i, signed, one bit of b_i a clock, the
// lowest first. a_i, b_i and minus_i stay as they are until done_o.
// Latency: done_o is high for one clock, BWidth + 2 clocks after start_i; the product holds until
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
  input  logic                     minus_i,
  output logic                     done_o,
  output logic signed [AWidth-1:0] high_o,
  output logic        [BWidth-1:0] low_o
);
  localparam int PlaceWidth = $clog2(BWidth);

  logic        [AWidth-1:0]     part_q;   // of the bit before, with a carry: a_i, its negative or 0
  logic                         carry_q;
  logic [AWidth:0] high_q, sum;  // signed
  logic        [BWidth-1:0]     low_q;
  logic        [PlaceWidth-1:0] place_q;
  logic busy_q, add_q, done_q, digit, last, minus;

  assign digit  = b_i[place_q];
  assign last   = place_q == PlaceWidth'(BWidth - 1);
  assign minus  = last != minus_i;  // the last bit is the sign of b_i
  assign sum    = (AWidth+1)'(({high_q, 1'b1} + {part_q[AWidth-1], part_q, carry_q}) >> 1);
  assign done_o = done_q;
  assign high_o = high_q[AWidth-1:0];
  assign low_o  = low_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      place_q <= '0;
      busy_q  <= 1'b0;
      add_q   <= 1'b0;
      done_q  <= 1'b0;
    end else begin
      busy_q  <= start_i || (busy_q && !last);
      add_q   <= busy_q && !start_i;
      done_q  <= add_q && !busy_q && !start_i;
      place_q <= start_i || !busy_q ? '0 : place_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    carry_q <= digit && minus;
    if (digit) part_q <= a_i ^ {AWidth{minus}};
    else part_q <= '0;
    if (start_i) begin
      high_q <= '0;
    end else if (add_q) begin
      high_q <= {sum[AWidth], sum[AWidth:1]};
      low_q  <= {sum[0], low_q[BWidth-1:1]};
    end
  end
endmodule
