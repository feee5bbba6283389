// Properties of td_capture's control (hdl/formal/run.py): samples are numbered one after the other.
logic                f_past = 1'b0;
logic [47:0]         f_next;   // number of the next sample
logic [PlaceWidth:0] f_left;   // samples to come after a suspicion
logic                f_held;   // arm and reset aside, what was recorded stands still
logic [47:0]         f_first;

always_comb assume (f_past || !rst_ni);
always_comb assume (!valid_i || index_i == f_next);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (!rst_ni) f_next <= '0;
  else if (valid_i) f_next <= f_next + 1'b1;
  f_first <= first_o;

  if (f_past && rst_ni) begin
    assert (phase_q != 2'd3);
    assert (count_q <= (PlaceWidth+1)'(Depth));
    assert (phase_q != Finish || left_q != '0);
    // While it records, the newest sample is the newest there is: none was lost, none taken twice.
    if (phase_q != Frozen && count_q != '0) assert (first_o + 48'(count_q) == f_next);
    assert (ack_q == ack_o && frozen_o == (phase_q == Frozen));
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    if ($past(frozen_o) && !$past(arm_i)) begin
      assert (frozen_o && !done_o);
      assert (count_o == $past(count_o) && first_o == f_first && place_q == $past(place_q));
    end
    if (frozen_o && !$past(frozen_o)) assert (done_o);
    if (done_o) assert (frozen_o);
    if ($past(phase_q) == Run && phase_q == Finish) assert ($past(suspect_i) && left_q == $past(post_i));
    if ($past(phase_q) == Finish && frozen_o && !$past(freeze_i)) assert ($past(left_q) == PlaceWidth'(1) && $past(valid_i));
    if ($past(arm_i)) assert (!frozen_o && count_o == '0);
    if ($past(req_i)) assert (ack_o);
    if (ack_o) assert ($past(req_i));
  end

  cover (f_past && rst_ni && done_o && count_q == (PlaceWidth+1)'(Depth) && !$past(freeze_i));
  cover (f_past && rst_ni && done_o && $past(freeze_i) && count_q == 'd2);
  cover (f_past && rst_ni && phase_q == Run && $past(frozen_o));
end
