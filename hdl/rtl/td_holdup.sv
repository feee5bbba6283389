// Monitor of the hold-up capacitor. With each code_valid_i: low_o rises below low_i and falls at
// low_i + hysteresis_i; energy_o is code_i^2 - stop_i^2, 0 at or below stop_i: what the capacitor can
// still give down to the voltage at which the supply of the radio stops, in units of C / 2 x step^2.
// Latency: low_o 1 clock, energy_o 14 clocks after code_valid_i; a code within that time is ignored.
// event_o is high for one clock, 1 clock after the step_i that follows the rise of low_o; kind_o 20.
module td_holdup (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        step_i,
  input  logic        code_valid_i,
  input  logic [11:0] code_i,        // ADC code of the capacitor's voltage, as all below
  input  logic [11:0] low_i,
  input  logic [11:0] hysteresis_i,
  input  logic [11:0] stop_i,
  output logic [11:0] code_o,        // latest
  output logic        low_o,
  output logic [23:0] energy_o,
  output logic        event_o,
  output logic [5:0]  kind_o
);
  localparam logic [5:0] KindLow = 6'd20;

  logic [11:0] code_q, minus_q;
  logic [23:0] plus_q, sum_q, energy_q;  // (code + stop)(code - stop), a bit of the second a clock
  logic [3:0] left_q;
  logic take, low_q, told_q, event_q;
  logic [12:0] usable, beside_low;  // the code less stop_i, less low_i; their signs tell which is larger
  logic [13:0] beside_back;

  assign take        = code_valid_i && left_q == '0;
  assign usable      = {1'b0, code_i} - {1'b0, stop_i};
  assign beside_low  = {1'b0, code_i} - {1'b0, low_i};
  assign beside_back = {beside_low[12], beside_low} - {2'd0, hysteresis_i};

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !enable_i) begin
      code_q   <= '0;
      minus_q  <= '0;
      plus_q   <= '0;
      sum_q    <= '0;
      energy_q <= '0;
      left_q   <= '0;
      low_q    <= 1'b0;
      told_q   <= 1'b0;
      event_q  <= 1'b0;
    end else begin
      event_q <= 1'b0;
      if (take) begin
        code_q  <= code_i;
        plus_q  <= 24'(code_i) + 24'(stop_i);
        minus_q <= usable[12] ? 12'd0 : usable[11:0];
        sum_q   <= '0;
        left_q  <= 4'd13;
        if (beside_low[12]) low_q <= 1'b1;
        else if (!beside_back[13]) low_q <= 1'b0;
      end else if (left_q != '0) begin
        left_q <= left_q - 1'b1;
        if (minus_q[0]) sum_q <= sum_q + plus_q;
        plus_q  <= plus_q << 1;
        minus_q <= minus_q >> 1;
        if (left_q == 4'd1) energy_q <= sum_q;
      end
      if (!low_q) begin
        told_q <= 1'b0;
      end else if (step_i && !told_q) begin
        told_q  <= 1'b1;
        event_q <= 1'b1;
      end
    end
  end

  assign code_o   = code_q;
  assign low_o    = low_q;
  assign energy_o = energy_q;
  assign event_o  = event_q;
  assign kind_o   = KindLow;

`ifdef FORMAL
  `include "td_event_step.svh"
`endif
endmodule
