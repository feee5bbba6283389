// Over-current: starts with an RMS current above threshold_i and ends at threshold_i - hysteresis_i.
// event_o is high for one clock, 1 clock after step_i, with kind_o 13 start, 14 end; value_o is the
// largest current so far, extra_o the steps from start to end, up to 2^32 - 1, 0 at a start. They are good
// with event_o only.
module td_overcurrent (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        step_i,         // once a sample
  input  logic        fresh_i,        // irms_i is new with this step
  input  logic [28:0] irms_i,         // 1/16 ADC code, as all below
  input  logic [28:0] threshold_i,
  input  logic [28:0] hysteresis_i,
  output logic        event_o,
  output logic [5:0]  kind_o,
  output logic [28:0] value_o,
  output logic [31:0] extra_o,
  output logic        active_o
);
  localparam logic [5:0] KindStart = 6'd13;
  localparam logic [5:0] KindEnd = 6'd14;

  logic active_q, above, back;
  logic [29:0] beside_peak, beside_threshold, beside_back;  // their signs: irms_i is above, is back
  logic [28:0] peak_q;
  logic [31:0] steps_q;

  assign beside_peak      = {1'b0, peak_q} - {1'b0, irms_i};
  assign beside_threshold = {1'b0, threshold_i} - {1'b0, irms_i};
  assign beside_back      = beside_threshold - {1'b0, hysteresis_i};

  assign above = active_q ? beside_peak[29] : beside_threshold[29];
  assign back  = !beside_threshold[29] && !beside_back[29];

  always_ff @(posedge clk_i) begin
    event_o <= 1'b0;
    if (!rst_ni || !enable_i) begin
      active_q <= 1'b0;
      peak_q   <= '0;
      steps_q  <= '0;
    end else if (step_i) begin
      if (steps_q != '1) steps_q <= steps_q + 1'b1;
      if (fresh_i && active_q && back) begin
        active_q <= 1'b0;
        event_o  <= 1'b1;
      end else if (fresh_i && above) begin
        peak_q <= irms_i;
        if (!active_q) begin
          active_q <= 1'b1;
          steps_q  <= '0;
          event_o  <= 1'b1;
        end
      end
    end
  end

  assign kind_o   = active_q ? KindStart : KindEnd;
  assign value_o  = peak_q;
  assign extra_o  = steps_q;
  assign active_o = active_q;

`ifdef FORMAL
  `include "td_event_step.svh"
`endif
endmodule
