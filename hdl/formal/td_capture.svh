// Properties of td_capture's control (hdl/formal/run.py): samples are numbered one after the other and
// come at least six clocks apart (an entry of four channels takes five); raw samples are recorded.
logic        f_past = 1'b0;
logic [47:0] f_next;   // number of the next sample
logic [2:0]  f_gap;    // clocks since a sample, up to 6
logic [1:0]  f_request;

always_comb assume (f_past || !rst_ni);
always_comb assume (!raw_valid_i || (f_gap == 3'd6 && index_i == f_next));
always_comb assume (raw_valid_i || index_i + 48'd1 == f_next);  // else the number of the newest
always_comb assume (!fine_mode_i);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (!rst_ni) f_next <= '0;
  else if (raw_valid_i) f_next <= f_next + 1'b1;
  f_request <= rst_ni ? {f_request[0], req_i} : 2'd0;
  if (!rst_ni) f_gap <= 3'd6;
  else if (raw_valid_i) f_gap <= 3'd1;
  else if (f_gap != 3'd6) f_gap <= f_gap + 1'b1;

  if (f_past && rst_ni) begin
    assert (f_gap != '0 && f_gap <= 3'd6);
    assert (phase_q != 2'd3);
    assert (ack_o == f_request[1]);  // every read is answered, two clocks later
    assert (f_request[0] == ack_q[0]);
    assert (count_q <= Full);
    assert (!frozen_o || !writing_q);
    // A sample that comes finds the writer free: none is lost.
    assert (!raw_valid_i || !writing_q);
    assert (!writing_q || (3'(part_q) + 3'd1 == f_gap && index_q + 48'd1 == f_next));
    // While it records, the newest sample, or the one being written, is the last of the window.
    if (phase_q != Frozen && count_q != '0) assert (first_o + 48'(count_q) + 48'(writing_q) == f_next);
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    // Frozen, the window stands still until it is armed.
    if ($past(frozen_o) && frozen_o) assert (count_o == $past(count_o) && first_o == $past(first_o) && !done_o);
    if ($past(frozen_o) && !frozen_o) assert (count_o == '0);
    if (frozen_o && !$past(frozen_o)) assert (done_o);
    if (done_o) assert (frozen_o);
  end

  cover (f_past && rst_ni && done_o && count_q == 'd3);
  cover (f_past && rst_ni && phase_q == Run && $past(frozen_o));
  cover (f_past && rst_ni && phase_q == Finish && cause_q == 4'b0001);
end
