// Half-cycle boundaries of the voltage. A 16-sample moving sum runs in front; a sign change of it
// that follows an excursion beyond +-hysteresis_i is a crossing, placed between two samples by
// linear interpolation. Without one for timeout_i samples the voltage counts as lost (lost_o) and
// boundaries come every cadence_i samples instead; the first crossing after that starts anew.
//
// step_o is high for one clock for each valid_i, 2 clocks after it or, at a crossing, 18 clocks
// after it. With step_o:
//   boundary_o  a half cycle ended at sample index_i - 1 + fraction_o / 65536, on the time axis of
//               the moving sum (7.5 samples behind the voltage)
//   crossing_o  it ended at an interpolated crossing (else: fixed cadence, fraction_o 0)
//   restart_o   it ended a loss: what was accumulated before it is no half cycle
//   delayed_o   the sample 8 before the newest: with the cell of sample k taken as [k, k + 1) the
//               sample to be split at the boundary, so that the window of the squares is centred
//               on the crossings of the voltage itself
// Limits: blank_i, cadence_i >= 24; timeout_i above the longest half cycle.
module td_zero_cross #(
  parameter int SampleWidth = 24
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic signed [SampleWidth-1:0] sample_i,      // ADC codes
  input  logic        [SampleWidth+3:0] hysteresis_i,  // ADC codes x 16
  input  logic        [7:0]             blank_i,       // samples
  input  logic        [7:0]             timeout_i,     // samples
  input  logic        [7:0]             cadence_i,     // samples
  output logic                          busy_o,
  output logic                          lost_o,
  output logic                          step_o,
  output logic                          boundary_o,
  output logic                          crossing_o,
  output logic                          restart_o,
  output logic        [15:0]            fraction_o,
  output logic signed [SampleWidth-1:0] delayed_o
);
  localparam int SumWidth = SampleWidth + 4;
  localparam int Taps = 16;

  logic signed [SampleWidth-1:0] line_q[Taps];  // line_q[0]: the newest sample
  logic signed [SumWidth-1:0] sum_q, before_q;
  logic signed [SampleWidth:0] change, change_q;  // of the sum with this sample
  logic decide_q;
  logic [7:0] count_q, count_next;
  logic lost_q, above_q, under_q;

  // ---- moving sum ---------------------------------------------------------------------------
  assign change = (SampleWidth + 1)'(sample_i) - (SampleWidth + 1)'(line_q[Taps-1]);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      for (int k = 0; k < Taps; k++) line_q[k] <= '0;
      sum_q    <= '0;
      before_q <= '0;
      change_q <= '0;
      decide_q <= 1'b0;
    end else begin
      decide_q <= valid_i;
      if (valid_i) begin
        line_q[0] <= sample_i;
        for (int k = 1; k < Taps; k++) line_q[k] <= line_q[k-1];
        sum_q    <= sum_q + SumWidth'(change);
        before_q <= sum_q;
        change_q <= change;
      end
    end
  end

  assign delayed_o = line_q[8];

  // ---- decision, one clock after the sample ---------------------------------------------------
  logic negative, beyond;  // the sum; by more than the hysteresis on its side
  logic [SumWidth+1:0] beside;  // the hysteresis less the sum's size: its sign tells
  logic rising, falling, crossing, expired, forget;

  assign negative    = sum_q[SumWidth-1];
  assign beside      = {1'b0, hysteresis_i, 1'b0} - {1'b0, sum_q ^ {SumWidth{negative}}, negative};  // -x is ~x + 1
  assign beyond      = beside[SumWidth+1];
  assign rising      = under_q && before_q <= 0 && sum_q > 0;
  assign falling     = above_q && before_q >= 0 && sum_q < 0;
  assign count_next  = count_q == '1 ? count_q : count_q + 1'b1;
  assign crossing    = (rising || falling) && (lost_q || count_next >= blank_i);
  assign expired     = !crossing && count_next >= (lost_q ? cadence_i : timeout_i);
  assign forget      = crossing || (expired && !lost_q);  // what came before a loss says nothing after it

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
      lost_q  <= 1'b1;
      above_q <= 1'b0;
      under_q <= 1'b0;
    end else if (decide_q) begin
      count_q <= (crossing || expired) ? 8'd0 : count_next;
      lost_q  <= !crossing && (lost_q || expired);
      above_q <= (above_q && !forget) || (beyond && !negative);
      under_q <= (under_q && !forget) || (beyond && negative);
    end
  end

  assign lost_o = lost_q;

  // ---- interpolation: |before| / |now - before|, of which the sign is the other one of before's -------
  logic        divided;
  logic [15:0] quotient;
  logic boundary_q, crossing_q, restart_q, plain_q, busy_q;
  logic [SampleWidth:0] size_before, size_change;  // at a crossing the former is the smaller

  function automatic logic [SampleWidth:0] size_of(input logic [SampleWidth:0] value, input logic minus);
    size_of = (value ^ {(SampleWidth + 1) {minus}}) + (SampleWidth + 1)'(minus);
  endfunction

  assign size_change = size_of(change_q, change_q[SampleWidth]);
  assign size_before = size_of(before_q[SampleWidth:0], before_q[SumWidth-1]);

  td_divide #(
    .DivWidth (SampleWidth + 1),
    .QuotWidth(16)
  ) u_fraction (
    .clk_i,
    .rst_ni,
    .start_i   (decide_q && crossing),
    .high_i    (size_before),
    .low_i     ('0),
    .divisor_i (size_change),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      boundary_q <= 1'b0;
      crossing_q <= 1'b0;
      restart_q  <= 1'b0;
      plain_q    <= 1'b0;
      busy_q     <= 1'b0;
    end else begin
      plain_q <= decide_q && !crossing;
      busy_q  <= valid_i || (busy_q && !step_o);
      if (decide_q) begin
        boundary_q <= crossing || expired;
        crossing_q <= crossing;
        restart_q  <= crossing && lost_q;
      end
    end
  end

  assign busy_o     = busy_q;
  assign step_o     = plain_q || divided;
  assign boundary_o = boundary_q;
  assign crossing_o = crossing_q;
  assign restart_o  = restart_q;
  assign fraction_o = crossing_q ? quotient : '0;

`ifdef FORMAL
  localparam int Budget = 18;
  `include "td_budget.svh"
`endif
endmodule
