// Remote ampere limit. With limit_o > 0 and a current above it for trip_i steps in a row the breaker
// opens and closes again reclose_i steps later; the trip number tries_i of a series locks it out
// instead. The series starts anew after clear_i steps in a row at or below the limit, with a new
// limit and at a release. The current is the larger or, with sum_i, the sum of the two poles.
//
// Commands, one pulse each with its id_i: apply_i sets the limit to value_i (0: no limit);
// schedule_i does when sample at_i has come, schedule_tick_i after at_i[15:0] ticks of tick_i;
// cancel_i drops what is scheduled; release_i closes the breaker and ends a lock-out. A command with
// the id of the one accepted last is a repetition: nothing happens, duplicate_o pulses. One out of
// range is refused as a whole, refused_o pulses: a limit that is not 0 and outside min_i to max_i, a
// time that has passed, 0 ticks, a second schedule, a cancel without one, two commands at once.
//
// event_o is high for one clock, 1 clock after step_i: kind_o 15 trip, 16 reclose, 17 lock-out (one
// step after its trip), 18 release (with the step after the command, or after enable_i fell while the
// breaker was open; nothing else happens in that step); value_o is the current, extra_o the limit.
// Limits: trip_i, reclose_i and clear_i >= 1.
module td_limiter (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        enable_i,        // 0: breaker closed, nothing trips; commands are still taken
  input  logic        step_i,          // once a sample
  input  logic [47:0] index_i,         // number of the sample
  input  logic        fresh_i,         // the currents are new with this step
  input  logic [28:0] larger_i,        // 1/16 ADC code, of the two poles
  input  logic [28:0] smaller_i,
  input  logic        sum_i,
  input  logic [29:0] min_i,           // 1/16 ADC code
  input  logic [29:0] max_i,
  input  logic [27:0] trip_i,          // steps
  input  logic [27:0] reclose_i,       // steps
  input  logic [27:0] clear_i,         // steps
  input  logic [3:0]  tries_i,
  input  logic        tick_i,
  input  logic        apply_i,
  input  logic        schedule_i,
  input  logic        schedule_tick_i,
  input  logic        cancel_i,
  input  logic        release_i,
  input  logic [15:0] id_i,
  input  logic [29:0] value_i,         // 1/16 ADC code
  input  logic [47:0] at_i,
  output logic        duplicate_o,
  output logic        refused_o,
  output logic        closed_o,        // the breaker
  output logic [1:0]  state_o,         // 0 closed, 1 open, 2 locked out
  output logic [3:0]  tries_o,         // trips of this series
  output logic        pending_o,
  output logic        pending_tick_o,
  output logic [15:0] id_o,            // of the last command accepted
  output logic [29:0] limit_o,         // applied, 1/16 ADC code
  output logic [15:0] applied_id_o,
  output logic [47:0] applied_at_o,    // newest sample when it was applied
  output logic [29:0] current_o,       // compared, 1/16 ADC code
  output logic        event_o,
  output logic [5:0]  kind_o,
  output logic [29:0] value_o,
  output logic [29:0] extra_o
);
  localparam logic [5:0] KindTrip = 6'd15;
  localparam logic [5:0] KindReclose = 6'd16;
  localparam logic [5:0] KindLockout = 6'd17;
  localparam logic [5:0] KindRelease = 6'd18;

  // The sign of a difference: this takes fewer and smaller LUTs than a comparison.
  function automatic logic less(input logic [29:0] left, input logic [29:0] right);
    logic [30:0] difference;
    difference = {1'b0, left} - {1'b0, right};
    less       = difference[30];
  endfunction

  // ---- commands -----------------------------------------------------------------------------------
  logic any, single, repeated, in_range, allowed, accept, accept_apply, due, now;
  logic seen_q, pending_q, by_tick_q;
  logic [15:0] id_q, pending_id_q, applied_id_q;
  logic [29:0] limit_q, pending_value_q;
  logic [47:0] pending_at_q, applied_at_q;
  logic [48:0] beside_at, beside_pending;  // the sample less that of the command: their signs: it is to come

  assign any            = apply_i || schedule_i || schedule_tick_i || cancel_i || release_i;
  assign single         = $onehot({apply_i, schedule_i, schedule_tick_i, cancel_i, release_i});
  assign repeated       = seen_q && id_i == id_q;
  assign in_range       = value_i == '0 || !(less(value_i, min_i) || less(max_i, value_i));
  assign beside_at      = {1'b0, index_i} - {1'b0, at_i};
  assign beside_pending = {1'b0, index_i} - {1'b0, pending_at_q};
  assign due            = pending_q && (by_tick_q ? pending_at_q[15:0] == '0 : !beside_pending[48]);

  always_comb begin
    allowed = any && single;
    if (apply_i && !in_range) allowed = 1'b0;
    if (schedule_i && (!in_range || pending_q || !beside_at[48])) allowed = 1'b0;
    if (schedule_tick_i && (!in_range || pending_q || at_i[15:0] == '0)) allowed = 1'b0;
    if (cancel_i && !pending_q) allowed = 1'b0;
  end

  assign accept       = allowed && !repeated;  // repeated comes late
  assign accept_apply = (allowed && apply_i) && !repeated;
  assign now          = step_i && due && (repeated || !(allowed && cancel_i));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      seen_q          <= 1'b0;
      pending_q       <= 1'b0;
      by_tick_q       <= 1'b0;
      id_q            <= '0;
      pending_id_q    <= '0;
      applied_id_q    <= '0;
      limit_q         <= '0;
      pending_value_q <= '0;
      pending_at_q    <= '0;
      applied_at_q    <= '0;
      duplicate_o     <= 1'b0;
      refused_o       <= 1'b0;
    end else begin
      duplicate_o <= any && single && repeated;
      refused_o   <= any && !accept && !(single && repeated);
      if (pending_q && by_tick_q && tick_i && pending_at_q[15:0] != '0) pending_at_q <= pending_at_q - 1'b1;
      if (now) begin
        pending_q    <= 1'b0;
        limit_q      <= pending_value_q;
        applied_id_q <= pending_id_q;
        applied_at_q <= index_i;
      end
      if (accept_apply) begin
        limit_q      <= value_i;
        applied_id_q <= id_i;
        applied_at_q <= index_i;
      end
      if (accept) begin
        seen_q <= 1'b1;
        id_q   <= id_i;
        if (cancel_i) pending_q <= 1'b0;
        if (schedule_i || schedule_tick_i) begin
          pending_q       <= 1'b1;
          by_tick_q       <= schedule_tick_i;
          pending_id_q    <= id_i;
          pending_value_q <= value_i;
          pending_at_q    <= at_i;
        end
      end
    end
  end

  // ---- the current against the limit ---------------------------------------------------------------
  logic [29:0] current, current_q;
  logic above_q;

  assign current = {1'b0, larger_i} + {1'b0, sum_i ? smaller_i : 29'd0};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      current_q <= '0;
      above_q   <= 1'b0;
    end else begin
      if (step_i && fresh_i) current_q <= current;
      above_q <= limit_q != '0 && less(limit_q, current_q);
    end
  end

  // ---- the breaker ----------------------------------------------------------------------------------
  typedef enum logic [1:0] {
    Closed,
    Open,
    Locked
  } state_e;

  state_e state_d, state_q;
  logic [28:0] next_q, row;  // 1 + steps above or below the limit in a row, or open; up to 2^28
  logic counts, anew;
  logic side_d, side_q;  // next_q counts steps above
  logic [3:0] tries_d, tries_q;
  logic [5:0] kind_d, kind_q;
  logic told_d, told_q;  // 1: a release waits for its event
  logic same, trips, clears;  // row, steps with this one, is as long as trip_i, clear_i
  logic freed, restart;  // a new limit: what was counted against the old one is void

  assign same    = above_q == side_q || state_q == Open;
  assign row     = same ? next_q : 29'd1;
  assign trips   = same ? !less(30'(next_q), 30'(trip_i)) : trip_i <= 28'd1;  // of row it would be the longest path
  assign clears  = same ? !less(30'(next_q), 30'(clear_i)) : clear_i <= 28'd1;
  assign restart = now || accept_apply;
  assign freed   = ((allowed && release_i) && !repeated) || !enable_i;

  always_comb begin
    state_d = state_q;
    counts  = 1'b0;
    anew    = 1'b0;
    side_d  = side_q;
    tries_d = tries_q;
    told_d  = told_q;
    kind_d  = '0;
    if (step_i && told_q) begin
      told_d = 1'b0;
      kind_d = KindRelease;
    end else if (step_i) begin
      unique case (state_q)
        Closed: begin
          side_d = above_q;
          counts = 1'b1;
          if (above_q && trips) begin
            state_d = Open;
            anew    = 1'b1;
            tries_d = tries_q == '1 ? tries_q : tries_q + 1'b1;
            kind_d  = KindTrip;
          end else if (!above_q && clears) begin
            tries_d = '0;
          end
        end
        Open: begin
          counts = 1'b1;
          if (tries_q >= tries_i) begin
            state_d = Locked;
            kind_d  = KindLockout;
          end else if (!less(30'(next_q), 30'(reclose_i))) begin
            state_d = Closed;
            anew    = 1'b1;
            side_d  = 1'b0;
            kind_d  = KindReclose;
          end
        end
        Locked:  state_d = Locked;
        default: state_d = Closed;
      endcase
    end
    if (restart) begin
      tries_d = '0;
      if (state_d == Closed) begin
        anew   = 1'b1;
        side_d = 1'b0;
      end
    end
    if (freed) begin
      state_d = Closed;
      anew    = 1'b1;
      side_d  = 1'b0;
      tries_d = '0;
      told_d  = told_d || state_q != Closed;
      if (!told_q) kind_d = '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Closed;
      side_q  <= 1'b0;
      tries_q <= '0;
      told_q  <= 1'b0;
      kind_q  <= '0;
    end else begin
      state_q <= state_d;
      side_q  <= side_d;
      tries_q <= tries_d;
      told_q  <= told_d;
      kind_q  <= kind_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || anew) next_q <= 29'd1;
    else if (counts) next_q <= row + {28'd0, !row[28]};
  end

  assign closed_o       = state_q == Closed;
  assign state_o        = state_q;
  assign tries_o        = tries_q;
  assign pending_o      = pending_q;
  assign pending_tick_o = by_tick_q;
  assign id_o           = id_q;
  assign limit_o        = limit_q;
  assign applied_id_o   = applied_id_q;
  assign applied_at_o   = applied_at_q;
  assign current_o      = current_q;
  assign event_o        = kind_q != '0;
  assign kind_o         = kind_q;
  assign value_o        = current_q;
  assign extra_o        = limit_q;

`ifdef FORMAL
  `include "td_limiter.svh"
`endif
endmodule
