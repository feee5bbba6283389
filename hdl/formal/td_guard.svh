// Properties of td_guard (hdl/formal/run.py). Behind it any register file that keeps the AXI4-Lite
// rules and has at most 4 accesses open; in front any master that keeps them.
logic       f_past = 1'b0;
logic [2:0] f_writes, f_reads;      // passed on by the guard for the outside, unanswered
logic       f_own;                  // the guard's own read is unanswered

always_comb assume (f_past || !rst_ni);
// The register file answers only what it took; 4 accesses at once.
always_comb assume (!m_bvalid_i || f_writes != '0);
always_comb assume (!m_rvalid_i || f_reads != '0 || f_own);
logic [3:0] f_open;
assign f_open = {1'b0, f_writes} + {1'b0, f_reads};
always_comb assume (f_open < 4'd4 || (!m_awready_i && !m_arready_i));

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (f_past && $past(rst_ni) && rst_ni) begin
    if ($past(s_awvalid_i && !s_awready_o)) assume (s_awvalid_i && $stable(s_awaddr_i));
    if ($past(s_wvalid_i && !s_wready_o)) assume (s_wvalid_i && $stable(s_wdata_i) && $stable(s_wstrb_i));
    if ($past(s_arvalid_i && !s_arready_o)) assume (s_arvalid_i && $stable(s_araddr_i));
    if ($past(m_bvalid_i && !m_bready_o)) assume (m_bvalid_i);
    if ($past(m_rvalid_i && !m_rready_o)) assume (m_rvalid_i && $stable(m_rdata_i));
  end
  if (!rst_ni) begin
    f_writes <= '0;
    f_reads  <= '0;
    f_own    <= 1'b0;
  end else begin
    f_writes <= f_writes + 3'(s_awvalid_i && s_awready_o) - 3'(s_bvalid_o && s_bready_i);
    f_reads  <= f_reads + 3'(s_arvalid_i && s_arready_o) - 3'(s_rvalid_o && s_rready_i);
    if (own_q && m_arvalid_o && m_arready_i) f_own <= 1'b1;
    else if (m_rvalid_i && m_rready_o && own_q) f_own <= 1'b0;
  end

  if (f_past && rst_ni) begin
    assert (f_open <= 4'd4 && {1'b0, open_q} == f_open);
    assert (f_own == (own_q && sent_q));
    assert (!own_q || (f_writes == '0 && f_reads == '0 && phase_q == Answer));
    assert (phase_q != Answer || own_q);
    // Address and data of a write are taken together, and never a write and a read in one clock.
    assert ((s_awvalid_i && s_awready_o) == (s_wvalid_i && s_wready_o));
    assert (!(s_awvalid_i && s_awready_o && s_arvalid_i && s_arready_o));
    // What is taken outside goes inside in the same clock, and nothing else but the guard's own read.
    assert ((m_awvalid_o && m_awready_i) == (s_awvalid_i && s_awready_o));
    assert ((m_arvalid_o && m_arready_i && !own_q) == (s_arvalid_i && s_arready_o));
    if (m_arvalid_o && !own_q) assert (m_araddr_o == s_araddr_i);
    // Answers go outside but for the guard's own.
    assert (s_bvalid_o == m_bvalid_i);
    assert (s_rvalid_o == (m_rvalid_i && !own_q));
    assert (!s_bvalid_o || f_writes != '0);
    assert (!s_rvalid_o || f_reads != '0);
    // Locked, no byte of a locked register is written; unlocked, or elsewhere, every byte passes.
    if (m_wvalid_o) assert (m_wstrb_o == (locked_q && protects ? 4'd0 : s_wstrb_i));
    assert (!locked_q || !protects || !m_wvalid_o || m_wstrb_o == '0);
    assert (!mismatch_q || locked_q);
    assert (!learned_q || locked_q);
  end

  if (f_past && $past(rst_ni) && rst_ni) begin
    // Answers stay until they are taken.
    if ($past(s_bvalid_o && !s_bready_i)) assert (s_bvalid_o);
    if ($past(s_rvalid_o && !s_rready_i)) assert (s_rvalid_o && $stable(m_rdata_i));
    // The lock opens only by the second key written behind the first.
    if ($past(locked_q) && !locked_q) begin
      assert ($past(half_q && s_wdata_i == SecondKey && s_awvalid_i && s_awready_o && s_wstrb_i == 4'hF));
      assert ($past(s_awaddr_i[14:2]) == KeyAddress[14:2]);
    end
    if ($past(s_awvalid_i && s_awready_o && locked_q && protects && s_wstrb_i != '0)) assert (locked_write_o);
  end

  cover (f_past && rst_ni && own_q && m_rvalid_i);
  cover (f_past && rst_ni && locked_write_o);
  cover (f_past && rst_ni && $past(locked_q) && !locked_q);
  cover (f_past && rst_ni && f_reads == 3'd2 && f_writes == 3'd1);
end
