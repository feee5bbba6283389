// Serial divider without restoring, one bit of the quotient a clock, and the root of that quotient beside it.
//   quotient_o = size_i 2^(steps_i - LowWidth) / divisor_i     root_o = root of quotient_o     both rounded down
// Where the remainder is negative the bit of the quotient is 0, and the next step adds the divisor instead of taking
// it off. steps_i is even and at least LowWidth; size_i / 2^LowWidth must be below divisor_i, so that the quotient
// has steps_i bits. size_i and steps_i are taken with start_i; divisor_i stays as it is until done_o.
// Latency: done_o is high for one clock, steps_i + 3 clocks after start_i. quotient_o and root_o hold until the next
// start_i. A start_i while busy starts over.
module td_divide_root #(
  parameter int HighWidth = 27,
  parameter int LowWidth  = 28,
  parameter int DivWidth  = 26,  // HighWidth - 1 or more
  parameter int QuotWidth = 60,  // the largest steps_i
  parameter int RootWidth = 30   // half of it
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          start_i,
  input  logic [5:0]                    steps_i,
  input  logic [HighWidth+LowWidth-1:0] size_i,
  input  logic [DivWidth-1:0]           divisor_i,
  output logic                          done_o,
  output logic [QuotWidth-1:0]          quotient_o,
  output logic [RootWidth-1:0]          root_o
);
  logic [QuotWidth-1:0] quotient_q;  // bits of the size still to come, the quotient's behind them
  logic [DivWidth:0] remainder_q, remainder_next, operand;  // signed
  logic [HighWidth-1:0]  high_q;
  logic [LowWidth-1:0]   low_q;           // 0 but for the clock after start_i
  logic [5:0]            left_q;
  logic load_q, minus, step, pair_q, last_q;

  assign minus      = !remainder_q[DivWidth] && !load_q;
  assign step       = left_q != '0;
  assign quotient_o = quotient_q;

  // The first sum is the upper part of the size: all else is 0 then.
  assign operand        = load_q ? (DivWidth+1)'(high_q) : {1'b0, divisor_i} ^ {(DivWidth + 1){minus}};
  assign remainder_next = (DivWidth+1)'(({remainder_q[DivWidth-1:0], quotient_q[QuotWidth-1], 1'b1}
                                       + {operand, minus}) >> 1);

  td_sqrt #(
    .RootWidth(RootWidth)
  ) u_root (
    .clk_i,
    .rst_ni,
    .clear_i(start_i),
    .step_i (pair_q),
    .pair_i (quotient_q[1:0]),
    .root_o
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q <= '0;
      load_q <= 1'b0;
      pair_q <= 1'b0;
      last_q <= 1'b0;
      done_o <= 1'b0;
    end else begin
      load_q <= start_i;
      pair_q <= step && !load_q && left_q[0] && !start_i;  // two bits more
      last_q <= left_q == 6'd1 && !start_i;
      done_o <= last_q && !start_i;
      if (start_i) left_q <= steps_i;
      else if (step && !load_q) left_q <= left_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    high_q <= size_i[HighWidth+LowWidth-1:LowWidth];
    if (start_i) low_q <= size_i[LowWidth-1:0];
    else low_q <= '0;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      remainder_q <= '0;
      quotient_q  <= '0;
    end else if (step) begin
      remainder_q <= remainder_next;
      quotient_q  <= {quotient_q[QuotWidth-2:0], !remainder_next[DivWidth] && !load_q}
                   | {low_q, {(QuotWidth - LowWidth) {1'b0}}};
    end
  end
endmodule
