// Dips, swells and interruptions of Urms(1/2), IEC 61000-4-30 section 5.4 and 5.5 (2015): each starts
// beyond its threshold and ends at the threshold and hysteresis_i back.
//   dip            starts urms < dip_i            ends urms >= dip_i + hysteresis_i
//   swell          starts urms > swell_i          ends urms <= swell_i - hysteresis_i
//   interruption   starts urms < interruption_i   ends urms >= interruption_i + hysteresis_i
// Nothing is looked for until urms has once reached dip_i + hysteresis_i after enable_i: a voltage that
// was never there cannot dip.
//
// event_o is high for one clock, 1 to 4 clocks after publish_i, with kind_o: 5 dip_start, 6 dip_end,
// 7 swell_start, 8 swell_end, 9 interruption_start, 10 interruption_end; an interruption starts after
// its dip and ends before it. extreme_o is the lowest (swell: highest) urms since the start. active_o:
// a dip or swell lasts.
module td_quality (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        publish_i,
  input  logic        urms_valid_i,
  input  logic [27:0] urms_i,          // 1/16 ADC code, as all below
  input  logic [27:0] dip_i,
  input  logic [27:0] swell_i,
  input  logic [27:0] interruption_i,
  input  logic [27:0] hysteresis_i,
  output logic        busy_o,
  output logic        event_o,
  output logic [3:0]  kind_o,
  output logic [27:0] extreme_o,
  output logic        active_o
);
  localparam logic [3:0] DipStart          = 4'd5;
  localparam logic [3:0] DipEnd            = 4'd6;
  localparam logic [3:0] SwellStart        = 4'd7;
  localparam logic [3:0] SwellEnd          = 4'd8;
  localparam logic [3:0] InterruptionStart = 4'd9;
  localparam logic [3:0] InterruptionEnd   = 4'd10;

  logic [3:0]  seq_q;    // one-hot: interruption's end, dip, swell, interruption's start
  logic        ready_q, dip_q, swell_q, interruption_q;
  logic [27:0] dip_low_q, swell_high_q, interruption_low_q;
  logic        low, high, none;          // beyond the threshold
  logic        dip_over, swell_over, interruption_over;

  function automatic logic [27:0] lower(input logic [27:0] a, input logic [27:0] b);
    lower = a < b ? a : b;
  endfunction

  assign low               = urms_i < dip_i;
  assign high              = urms_i > swell_i;
  assign none              = urms_i < interruption_i;
  assign dip_over          = {1'b0, urms_i} >= {1'b0, dip_i} + {1'b0, hysteresis_i};
  assign swell_over        = {1'b0, urms_i} + {1'b0, hysteresis_i} <= {1'b0, swell_i};
  assign interruption_over = {1'b0, urms_i} >= {1'b0, interruption_i} + {1'b0, hysteresis_i};

  always_ff @(posedge clk_i) begin
    event_o <= 1'b0;
    if (!rst_ni || !enable_i) begin
      seq_q              <= '0;
      ready_q            <= 1'b0;
      dip_q              <= 1'b0;
      swell_q            <= 1'b0;
      interruption_q     <= 1'b0;
      dip_low_q          <= '0;
      swell_high_q       <= '0;
      interruption_low_q <= '0;
      kind_o             <= '0;
      extreme_o          <= '0;
    end else begin
      seq_q <= {seq_q[2:0], publish_i && urms_valid_i && (ready_q || dip_over)};
      if (publish_i && urms_valid_i && dip_over) ready_q <= 1'b1;
      if (seq_q[0]) begin
        interruption_low_q <= lower(interruption_low_q, urms_i);
        if (interruption_q && interruption_over) begin
          interruption_q <= 1'b0;
          event_o        <= 1'b1;
          kind_o         <= InterruptionEnd;
          extreme_o      <= interruption_low_q;
        end
      end
      if (seq_q[1]) begin
        dip_low_q <= dip_q ? lower(dip_low_q, urms_i) : urms_i;
        if (dip_q ? dip_over : low) begin
          dip_q     <= !dip_q;
          event_o   <= 1'b1;
          kind_o    <= dip_q ? DipEnd : DipStart;
          extreme_o <= dip_q ? dip_low_q : urms_i;
        end
      end
      if (seq_q[2]) begin
        swell_high_q <= swell_q && swell_high_q > urms_i ? swell_high_q : urms_i;
        if (swell_q ? swell_over : high) begin
          swell_q   <= !swell_q;
          event_o   <= 1'b1;
          kind_o    <= swell_q ? SwellEnd : SwellStart;
          extreme_o <= swell_q ? swell_high_q : urms_i;
        end
      end
      if (seq_q[3] && !interruption_q && none) begin
        interruption_q     <= 1'b1;
        interruption_low_q <= urms_i;
        event_o            <= 1'b1;
        kind_o             <= InterruptionStart;
        extreme_o          <= urms_i;
      end
    end
  end

  assign active_o = dip_q || swell_q;
  assign busy_o   = seq_q != '0 || event_o;
endmodule
