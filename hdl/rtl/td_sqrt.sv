// Serial integer square root: root_o = floor(sqrt(radicand_i)), two radicand bits a clock.
// Latency: done_o is high for one clock, RootWidth + 1 clocks after start_i; the root holds until
// the next start_i. A start_i while busy starts over.
module td_sqrt #(
  parameter int RootWidth = 28
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   start_i,
  input  logic [2*RootWidth-1:0] radicand_i,
  output logic                   done_o,
  output logic [RootWidth-1:0]   root_o
);
  localparam int CountWidth = $clog2(RootWidth + 1);

  logic [2*RootWidth-1:0] radicand_q;
  logic [RootWidth-1:0]   remainder_q;  // at most twice the root so far
  logic [RootWidth+1:0]   shifted, trial;
  logic [RootWidth-1:0]   root_q;
  logic [CountWidth-1:0]  left_q;
  logic                   fits, done_q;

  assign shifted = {remainder_q, radicand_q[2*RootWidth-1-:2]};
  assign trial   = {root_q, 2'b01};
  assign fits    = shifted >= trial;
  assign done_o  = done_q;
  assign root_o  = root_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      radicand_q  <= '0;
      remainder_q <= '0;
      root_q      <= '0;
      left_q      <= '0;
      done_q      <= 1'b0;
    end else begin
      done_q <= !start_i && left_q == CountWidth'(1);
      if (start_i) begin
        radicand_q  <= radicand_i;
        remainder_q <= '0;
        root_q      <= '0;
        left_q      <= CountWidth'(RootWidth);
      end else if (left_q != '0) begin
        radicand_q  <= radicand_q << 2;
        remainder_q <= RootWidth'(fits ? shifted - trial : shifted);
        root_q      <= {root_q[RootWidth-2:0], fits};
        left_q      <= left_q - 1'b1;
      end
    end
  end
endmodule
