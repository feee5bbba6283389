// Properties of td_capture's control (hdl/formal/run.py): samples are numbered one after the other and
// come at least six clocks apart (an entry of four channels takes five); raw samples are recorded.
logic        f_past = 1'b0;
logic [47:0] f_next;   // number of the next sample
logic [2:0]  f_gap;    // clocks since a sample, up to 6

always_comb assume (f_past || !rst_ni);
always_comb assume (!raw_valid_i || (f_gap == 3'd6 && index_i == f_next));
always_comb assume (raw_valid_i || index_i + 48'd1 == f_next);  // else the number of the newest
always_comb assume (!fine_mode_i);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (!rst_ni) f_next <= '0;
  else if (raw_valid_i) f_next <= f_next + 1'b1;
  if (!rst_ni) f_gap <= 3'd6;
  else if (raw_valid_i) f_gap <= 3'd1;
  else if (f_gap != 3'd6) f_gap <= f_gap + 1'b1;

  if (f_past && rst_ni) begin
    assert (f_gap != '0 && f_gap <= 3'd6);
    assert (phase_q != 2'd3);
    assert (count_q <= Full);
    assert (!frozen_o || !writing_q);
    assert (send_q <= 3'd4 && (!streaming_o || frozen_o));
    // A sample that comes finds the writer free: none is lost.
    assert (!raw_valid_i || !writing_q);
    assert (!writing_q || 3'(part_q) + 3'd1 == f_gap);
    assert (writing_q || part_q == '0);
    assert (write_q == (f_gap >= 3'd2 && f_gap <= 3'd5 && $past(writing_q)));
    // While it records, the newest sample, or the one being written, is the last of the window.
    if (phase_q != Frozen && count_q != '0) assert (first_o + 48'(count_q) + 48'(writing_q) == f_next);
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    // Frozen, the window stands still until it is armed.
    if ($past(frozen_o) && frozen_o) assert (count_o == $past(count_o) && first_o == $past(first_o) && !done_o);
    if ($past(frozen_o) && !frozen_o) assert (count_o == '0);
    if (frozen_o && !$past(frozen_o)) assert (done_o);
    if (done_o) assert (frozen_o);
    // A read is answered two clocks later, always.
    assert (ack_q[0] == $past(req_i) && ack_o == $past(ack_q[0]));
    // AXI4-Stream: what is offered stands until it is taken; a packet is cut by nothing.
    if ($past(m_axis_tvalid) && !$past(m_axis_tready)) begin
      assert (m_axis_tvalid && m_axis_tdata == $past(m_axis_tdata) && m_axis_tlast == $past(m_axis_tlast));
    end
    if ($past(streaming_o) && !streaming_o) assert ($past(m_axis_tvalid) && $past(m_axis_tready) && $past(m_axis_tlast));
  end

  cover (f_past && rst_ni && done_o && count_q == 'd3);
  cover (f_past && rst_ni && phase_q == Run && $past(frozen_o));
  cover (f_past && rst_ni && $past(streaming_o) && !streaming_o && count_q == 'd2);
  cover (f_past && rst_ni && phase_q == Finish && cause_q == 4'b0001);
end
