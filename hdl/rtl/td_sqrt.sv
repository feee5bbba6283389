// Serial integer square root without restoring: root_o = floor(sqrt(radicand)) of a radicand that comes two bits a
// step, the highest first. clear_i begins anew; as many steps as root_o has bits, or fewer, for smaller radicands.
// Where the remainder is negative the bit of the root is 0, and the next step adds back what was taken too much:
//   remainder' = 4 remainder + pair - (4 root + 1), or + (4 root + 3)
// Both terms end in the bits 11 (the former as a complement), so a step is one addition.
// Latency: root_o holds the bit of a step 1 clock after it.
// Limits: step_i at most every second clock, and 2 clocks after clear_i or later.
module td_sqrt #(
  parameter int RootWidth = 28
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic                 step_i,
  input  logic [1:0]           pair_i,
  output logic [RootWidth-1:0] root_o
);
  logic [RootWidth+1:0] remainder_q, remainder_next;  // signed
  logic [RootWidth-1:0] root_q, trial_q;

  assign remainder_next = {remainder_q[RootWidth-1:0], pair_i} + {trial_q, 2'b11};
  assign root_o         = root_q;

  always_ff @(posedge clk_i) begin
    trial_q <= root_q ^ {RootWidth{!remainder_q[RootWidth+1]}};
    if (!rst_ni || clear_i) begin
      remainder_q <= '0;
      root_q      <= '0;
    end else if (step_i) begin
      remainder_q <= remainder_next;
      root_q      <= {root_q[RootWidth-2:0], !remainder_next[RootWidth+1]};
    end
  end
endmodule
