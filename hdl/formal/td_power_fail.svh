// Properties of td_power_fail's states (hdl/formal/run.py). The arithmetic is cut off: below_d is free.
logic        f_past = 1'b0;
logic [4:0]  f_row;      // samples below in a row
logic [17:0] f_suspect;  // samples since the suspicion
logic [17:0] f_back;     // samples with the voltage back in a row

always_comb assume (f_past || !rst_ni);
always_comb assume (persist_i != '0);
always_comb assume (!valid_i || !busy_o);  // 17 clocks a sample

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (f_past) assume ($stable(persist_i) && $stable(confirm_i) && $stable(return_i));
  if (!rst_ni) f_row <= '0;
  else if (step_q[15]) f_row <= !below_d ? 5'd0 : (f_row == '1 ? f_row : f_row + 1'b1);
  if (!rst_ni || !enable_i || state_q != Suspect) f_suspect <= 18'd1;
  else if (step_q[16] && f_suspect != '1) f_suspect <= f_suspect + 1'b1;
  if (!rst_ni || !enable_i || (state_q != Off && state_q != Confirmed)) f_back <= '0;
  else if (step_q[16]) f_back <= back ? (f_back == '1 ? f_back : f_back + 1'b1) : 18'd0;

  if (f_past && rst_ni) begin
    assert (step_q == '0 || $onehot(step_q));
    assert (f_row >= row_q && (row_q == f_row || row_q == persist_i));
    assert (row_q <= persist_i);
    assert (state_q != Suspect || (f_suspect >= {1'b0, wait_q} && wait_q != '0));
    assert ((state_q != Off && state_q != Confirmed) || f_back >= {1'b0, wait_q});
    assert (kind_q <= KindReturn);
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    if (!$past(enable_i)) assert (state_q == Off && !event_o);
    if (state_q != $past(state_q) && $past(enable_i)) assert ($past(step_q[16]));
    // Suspicion: persist_i samples below in a row, from idle alone.
    if (kind_q == KindSuspect) assert ($past(state_q) == Idle && state_q == Suspect && $past(f_row) >= persist_i);
    // Decision: not before confirm_i samples; withdrawn MoreSamples later, on a fresh Urms(1/2) that is not low.
    if (kind_q == KindConfirmed) assert ($past(state_q) == Suspect && state_q == Confirmed && $past(f_suspect) >= {2'd0, confirm_i});
    if (kind_q == KindWithdrawn) begin
      assert ($past(state_q) == Suspect && state_q == Idle);
      assert ($past(f_suspect) >= {2'd0, confirm_i} + 18'(MoreSamples));
      assert ($past(fresh_q) && !$past(tripped) && $past(urms_i >= confirm_rms_i));
    end
    // Return: the voltage was back for return_i samples.
    if (kind_q == KindReturn) assert ($past(state_q) == Confirmed && state_q == Idle && $past(f_back) >= {2'd0, return_i});
    // Each change of state on the way tells; a confirmed loss is left in no other way.
    if ($past(state_q) == Confirmed && $past(enable_i) && state_q != Confirmed) assert (kind_q == KindReturn);
    if ($past(state_q) == Suspect && $past(enable_i) && state_q != Suspect) assert (event_o);
  end

  cover (f_past && rst_ni && kind_q == KindReturn);
  cover (f_past && rst_ni && kind_q == KindWithdrawn);
end
