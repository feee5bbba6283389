// Properties of td_last_gasp (hdl/formal/run.py): every input is free, declare_i stands still.
logic        f_past = 1'b0;
logic        f_confirmed;  // a confirmation was taken since the suspicion
logic [27:0] f_wait;       // steps since the suspicion

always_comb assume (f_past || !rst_ni);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (f_past) assume ($stable(declare_i));
  if (!rst_ni || !enable_i || state_q != Suspected) begin
    f_confirmed <= 1'b0;
    f_wait      <= '0;
  end else if (step_i) begin
    f_confirmed <= f_confirmed || seen_q[1];
    if (f_wait != '1) f_wait <= f_wait + 1'b1;
  end

  if (f_past && rst_ni) begin
    assert (state_q <= 3'd4);
    assert (state_q != Suspected || (f_wait == wait_q && f_confirmed == confirmed_q));
    assert (last_gasp_o == (state_q == Declared));
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    if (!$past(enable_i)) assert (state_q == Idle && !event_o);
    // The line rises only for a loss that was confirmed and has lasted, from suspected, with its event.
    if (last_gasp_o && !$past(last_gasp_o)) begin
      assert ($past(state_q) == Suspected && $past(step_i) && event_o);
      assert ($past(f_confirmed || seen_q[1]) && $past(!seen_q[2] && !seen_q[3]));
      assert ({1'b0, $past(f_wait)} + 29'd1 >= {1'b0, declare_i});
    end
    // It falls only when the message is sent, the voltage is back, or the block is switched off.
    if (!last_gasp_o && $past(last_gasp_o) && $past(enable_i)) begin
      assert ($past(sent_i) ? state_q == Sent || state_q == Returned : state_q == Returned);
    end
    if (event_o) assert ($past(step_i) && last_gasp_o && declared_o == $past(declared_o) + 16'd1);
    // A declared loss ends as returned, with the detector's return; nothing else leads there.
    if (state_q == Returned && $past(state_q) != Returned) begin
      assert (($past(state_q) == Declared || $past(state_q) == Sent) && $past(step_i && seen_q[3]));
    end
    if ($past(state_q) == Sent && $past(enable_i)) assert (state_q == Sent || state_q == Returned);
    // The onset stands still but for a new suspicion.
    if (onset_o != $past(onset_o)) assert (state_q == Suspected || !$past(enable_i));
  end

  cover (f_past && rst_ni && event_o && waited_o > 28'd2);
  cover (f_past && rst_ni && state_q == Returned && declared_o == 16'd2);
  cover (f_past && rst_ni && momentary_o == 16'd1 && state_q == Sent);
end
