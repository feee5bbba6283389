// Properties of td_limiter (hdl/formal/run.py). Settings stand still; commands and currents are free.
logic        f_past = 1'b0;
logic [27:0] f_above, f_open;  // steps above in a row while closed; steps since the breaker opened

always_comb assume (f_past || !rst_ni);
always_comb assume (trip_i != '0 && reclose_i != '0 && clear_i != '0 && tries_i != '0);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (f_past) begin
    assume ($stable(trip_i) && $stable(reclose_i) && $stable(clear_i) && $stable(tries_i));
    assume ($stable(min_i) && $stable(max_i));
  end
  if (!rst_ni || state_q != Closed || state_d != Closed || restart || freed) f_above <= '0;
  else if (step_i && !told_q) f_above <= !above_q ? 28'd0 : (f_above == '1 ? f_above : f_above + 1'b1);
  if (!rst_ni || state_q == Closed) f_open <= '0;
  else if (step_i && f_open != '1) f_open <= f_open + 1'b1;

  if (f_past && rst_ni) begin
    // What holds the counters together, for the induction.
    assert (state_q != 2'd3);
    assert (next_q != '0 && next_q <= {1'b1, 28'd0});
    assert (state_q != Closed || tries_q < tries_i);
    assert (state_q != Open || tries_q <= tries_i);
    assert (state_q != Locked || tries_q >= tries_i || tries_q == '0);  // 0: a new limit came
    assert (state_q != Closed || f_above == (side_q ? 28'(next_q - 1'b1) : 28'd0));
    assert (state_q != Closed || !side_q || next_q <= {1'b0, trip_i});
    assert (state_q == Closed || !told_q);
    assert (state_q != Open || 28'(next_q - 1'b1) == f_open);
    assert (limit_q == '0 || (limit_q >= min_i && limit_q <= max_i));
    assert (!pending_q || pending_value_q == '0 || (pending_value_q >= min_i && pending_value_q <= max_i));
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    if (event_o) assert ($past(step_i));  // td_control relies on it
    // The breaker opens only for a current above the limit, trip_i steps long, and tells so.
    if ($past(state_q) == Closed && state_q == Open) begin
      assert ($past(step_i && above_q && enable_i) && kind_q == KindTrip);
      assert ({1'b0, $past(f_above)} + 29'd1 >= {1'b0, trip_i});
      assert (tries_q != '0 || $past(restart));
    end
    // It closes by itself only after reclose_i steps and with tries left.
    if ($past(state_q) == Open && state_q == Closed && !$past(freed)) begin
      assert (kind_q == KindReclose && {1'b0, $past(f_open)} + 29'd1 >= {1'b0, reclose_i} && $past(tries_q) < tries_i);
    end
    // A lock-out comes only with the last try, and only a release or switching off ends it.
    if ($past(state_q) != Locked && state_q == Locked) begin
      assert ($past(state_q) == Open && $past(tries_q) >= tries_i && kind_q == KindLockout);
    end
    if ($past(state_q) == Locked && !$past(freed)) assert (state_q == Locked);
    if ($past(freed)) assert (closed_o);
    // The applied limit changes only by an accepted command or a schedule that is due; a repetition never.
    if (limit_q != $past(limit_q)) assert ($past(now) || $past(accept && apply_i));
    if (duplicate_o || refused_o) assert (id_q == $past(id_q) && !$past(accept));
    if ($past(now && !by_tick_q)) assert ($past(index_i) >= $past(pending_at_q));
    // Every opening and every closing is told: an event now, or a release that waits for its step.
    if (closed_o != $past(closed_o)) assert (event_o || told_q);
  end

  cover (f_past && rst_ni && kind_q == KindReclose && trip_i > 28'd1 && reclose_i > 28'd1);
  cover (f_past && rst_ni && kind_q == KindLockout && tries_i == 4'd2);
  cover (f_past && rst_ni && kind_q == KindRelease && $past(enable_i));
  cover (f_past && rst_ni && $past(now && by_tick_q) && limit_q != '0);
  cover (f_past && rst_ni && $past(now && !by_tick_q) && limit_q != '0);
  cover (f_past && rst_ni && duplicate_o);
  cover (f_past && rst_ni && refused_o);
end
