// Last Gasp: what the meter has to say about a loss of supply, and that it is back.
//   idle      -> suspected  the detector suspects; onset_o is estimated
//   suspected -> idle       it withdraws, or the voltage returns before declare_i: a momentary
//                           interruption, counted if the detector had confirmed it
//   suspected -> declared   confirmed, and declare_i steps since the suspicion: the message is due
//   declared  -> sent       sent_i: software has sent it
//   declared, sent -> returned   the voltage is back; the step is kept in return_o
//   returned  -> idle       clear_i: software has reported that; or -> suspected at the next loss
// last_gasp_o is high while declared. All but the commands happens at step_i, to what detector events
// came since the step before. event_o is high for one clock, 1 clock after step_i, with kind_o 19 at
// the declaration; waited_o is then the number of steps since the suspicion.
// onset_o is the number of the sample of the suspicion less delay_i, in 1/65536 sample.
module td_last_gasp (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,
  input  logic        step_i,          // once a sample
  input  logic [47:0] index_i,         // number of the sample
  input  logic        detected_i,      // an event of the power-fail detector
  input  logic [5:0]  detected_kind_i, // 1 suspect, 2 confirmed, 3 withdrawn, 4 return
  input  logic [27:0] declare_i,       // steps
  input  logic [31:0] delay_i,         // from onset to suspicion, 1/65536 sample
  input  logic        sent_i,
  input  logic        clear_i,
  output logic        last_gasp_o,
  output logic [2:0]  state_o,         // 0 idle, 1 suspected, 2 declared, 3 sent, 4 returned
  output logic [63:0] onset_o,         // 1/65536 sample
  output logic [47:0] return_o,        // sample
  output logic [15:0] declared_o,      // declarations since reset
  output logic [15:0] momentary_o,     // momentary interruptions since reset
  output logic        event_o,
  output logic [5:0]  kind_o,
  output logic [27:0] waited_o
);
  localparam logic [5:0] KindLastGasp = 6'd19;
  typedef enum logic [2:0] {
    Idle,
    Suspected,
    Declared,
    Sent,
    Returned
  } state_e;

  state_e state_d, state_q;
  logic [3:0] seen_d, seen_q;  // detector events since the last step: suspect, confirmed, withdrawn, return
  logic confirmed_d, confirmed_q, suspects, declares, momentary, returns;
  logic [27:0] wait_d, wait_q;
  logic [28:0] after;            // one step more than wait_q, compared before it is limited
  logic [29:0] beside_declare;   // its sign: declare_i steps are not over
  logic        event_q;

  always_comb begin
    seen_d = step_i ? 4'd0 : seen_q;
    if (detected_i && detected_kind_i >= 6'd1 && detected_kind_i <= 6'd4) begin
      seen_d[2'(detected_kind_i-6'd1)] = 1'b1;
    end
  end

  assign after          = {1'b0, wait_q} + 1'b1;
  assign beside_declare = {1'b0, after} - {2'd0, declare_i};

  always_comb begin
    state_d     = state_q;
    wait_d      = wait_q;
    confirmed_d = confirmed_q;
    suspects    = 1'b0;
    declares    = 1'b0;
    momentary   = 1'b0;
    returns     = 1'b0;
    if (state_q == Declared && sent_i) state_d = Sent;
    if (state_q == Returned && clear_i) state_d = Idle;
    if (step_i) begin
      unique case (state_q)
        Idle, Returned: begin
          if (seen_q[0]) begin
            state_d     = Suspected;
            suspects    = 1'b1;
            wait_d      = '0;
            confirmed_d = 1'b0;
          end
        end
        Suspected: begin
          wait_d      = after[28] ? wait_q : after[27:0];
          confirmed_d = confirmed_q || seen_q[1];
          if (seen_q[2] || seen_q[3]) begin
            state_d   = Idle;
            momentary = confirmed_d;
          end else if (confirmed_d && !beside_declare[29]) begin
            state_d  = Declared;
            declares = 1'b1;
          end
        end
        Declared, Sent: begin
          if (seen_q[3]) begin
            state_d = Returned;
            returns = 1'b1;
          end
        end
        default:        state_d = Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      declared_o  <= '0;
      momentary_o <= '0;
      onset_o     <= '0;
      return_o    <= '0;
    end else begin
      if (declares) declared_o <= declared_o + 1'b1;
      if (momentary) momentary_o <= momentary_o + 1'b1;
      if (suspects) onset_o <= {index_i, 16'd0} - 64'(delay_i);
      if (returns) return_o <= index_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !enable_i) begin
      state_q     <= Idle;
      seen_q      <= '0;
      confirmed_q <= 1'b0;
      wait_q      <= '0;
      event_q     <= 1'b0;
    end else begin
      state_q     <= state_d;
      seen_q      <= seen_d;
      confirmed_q <= confirmed_d;
      wait_q      <= wait_d;
      event_q     <= declares;
    end
  end

  assign last_gasp_o = state_q == Declared;
  assign state_o     = state_q;
  assign event_o     = event_q;
  assign kind_o      = KindLastGasp;
  assign waited_o    = wait_q;

`ifdef FORMAL
  `include "td_last_gasp.svh"
`endif
endmodule
