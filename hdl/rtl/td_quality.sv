// Dips, swells and interruptions of Urms(1/2), IEC 61000-4-30 section 5.4 and 5.5 (2015): each starts
// beyond its threshold and ends at the threshold and hysteresis_i back.
//   dip            starts urms < dip_i            ends urms >= dip_i + hysteresis_i
//   swell          starts urms > swell_i          ends urms <= swell_i - hysteresis_i
//   interruption   starts urms < interruption_i   ends urms >= interruption_i + hysteresis_i
// Nothing is looked for until urms has once reached dip_i + hysteresis_i after enable_i: a voltage that
// was never there cannot dip.
//
// Urms(1/2) passes four steps of three clocks each, which share one adder, one comparator and a memory of the extremes:
// a limit is made; urms is compared with it; urms is compared with the extreme so far, and what follows is done.
// urms_i and the settings must stand still for 12 clocks behind publish_i.
// event_o is high for one clock, 4, 7, 10 or 13 clocks after publish_i, with kind_o: 5 dip_start, 6 dip_end,
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
  localparam logic [3:0] DipStart = 4'd5;
  localparam logic [3:0] DipEnd = 4'd6;
  localparam logic [3:0] SwellStart = 4'd7;
  localparam logic [3:0] SwellEnd = 4'd8;
  localparam logic [3:0] InterruptionStart = 4'd9;
  localparam logic [3:0] InterruptionEnd = 4'd10;

  typedef enum logic [2:0] {
    Rest,
    Ended,
    Dip,
    Swell,
    Started
  } step_e;  // Ended, Started: of the interruption
  typedef enum logic [1:0] {
    Limit,
    Compare,
    Decide
  } phase_e;

  step_e step_q, next;
  phase_e phase_q;
  logic ready_q, dip_q, swell_q, interruption_q;
  logic [1:0]  place;                // 0 dip, 1 swell, 2 interruption
  logic [1:0]  told_q;               // place of the step before
  logic [27:0] extreme_q [4];        // lowest, of the swell highest, since the start
  logic [27:0] threshold, operand, back;
  logic signed [29:0] limit_q;
  logic [30:0] sum, distance;  // the lowest bit carries in
  logic rising, lasts, beyond_q, turns, further;

  assign rising = step_q == Swell;
  assign place  = step_q == Dip ? 2'd0 : (rising ? 2'd1 : 2'd2);
  assign lasts  = step_q == Dip ? dip_q || !ready_q : (rising ? swell_q : step_q == Ended);

  // The limit, then the extreme so far; and urms beyond it: below, of the swell above.
  assign threshold = step_q == Dip ? dip_i : (rising ? swell_i : interruption_i);
  assign operand   = phase_q == Compare ? extreme_o : threshold;
  assign back      = phase_q == Limit && lasts ? hysteresis_i : '0;
  assign sum       = {2'd0, operand, 1'b1} + {{2'd0, back} ^ {30{rising}}, rising};  // for a swell the difference
  assign distance  = {2'd0, urms_i, 1'b1} + {~limit_q, !rising};                     // for a swell one less
  assign further   = distance[30] != rising;
  assign turns     = lasts != beyond_q && (step_q != Dip || ready_q)
                  && (step_q != Ended || interruption_q) && (step_q != Started || !interruption_q);

  always_comb begin
    unique case (step_q)
      Ended:   next = Dip;
      Dip:     next = ready_q || !beyond_q ? Swell : Rest;
      Swell:   next = Started;
      default: next = Rest;
    endcase
  end

  always_ff @(posedge clk_i) begin
    event_o <= 1'b0;
    if (!rst_ni || !enable_i) begin
      step_q         <= Rest;
      phase_q        <= Limit;
      ready_q        <= 1'b0;
      dip_q          <= 1'b0;
      swell_q        <= 1'b0;
      interruption_q <= 1'b0;
      kind_o         <= '0;
    end else if (step_q == Rest) begin
      if (publish_i && urms_valid_i) step_q <= Ended;
    end else begin
      unique case (phase_q)
        Limit:   phase_q <= Compare;
        Compare: phase_q <= Decide;
        default: begin
          phase_q <= Limit;
          step_q  <= next;
          if (step_q == Dip && !beyond_q) ready_q <= 1'b1;
          if (turns) begin
            event_o <= 1'b1;
            unique case (place)
              2'd0: begin
                dip_q  <= !dip_q;
                kind_o <= dip_q ? DipEnd : DipStart;
              end
              2'd1: begin
                swell_q <= !swell_q;
                kind_o  <= swell_q ? SwellEnd : SwellStart;
              end
              default: begin
                interruption_q <= !interruption_q;
                kind_o         <= interruption_q ? InterruptionEnd : InterruptionStart;
              end
            endcase
          end
        end
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    limit_q  <= sum[30:1];
    beyond_q <= further;
    told_q   <= place;
    if (step_q != Rest && phase_q == Decide && (lasts ? further && beyond_q : turns)) extreme_q[place] <= urms_i;
  end

  assign extreme_o = extreme_q[phase_q == Limit ? told_q : place];
  assign active_o  = dip_q || swell_q;
  assign busy_o    = step_q != Rest || event_o;
endmodule
