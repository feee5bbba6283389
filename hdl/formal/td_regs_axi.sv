// AXI4-Lite rules of the generated register file (hdl/formal/run.py): every access taken is answered
// once, in its kind, an answer stays until it is taken, and with a willing master none waits for long.
// The memories behind it acknowledge one clock after a request, as td_capture and td_intervals do.
module td_regs_axi (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        awvalid_i,
  input logic [14:0] awaddr_i,
  input logic        wvalid_i,
  input logic [31:0] wdata_i,
  input logic [3:0]  wstrb_i,
  input logic        bready_i,
  input logic        arvalid_i,
  input logic [14:0] araddr_i,
  input logic        rready_i
);
  logic        awready, wready, bvalid, arready, rvalid;
  logic        acknowledge = 1'b0;
  logic [`MEMORIES-1:0] requests;
  logic [2:0]  writes = '0, datas = '0, reads = '0;  // taken and unanswered
  logic [4:0]  patience = '0;
  logic        past = 1'b0;

  td_regs u_regs (
    .clk            (clk_i),
    .rst_n          (rst_ni),
    .s_axil_awready (awready),
    .s_axil_awvalid (awvalid_i),
    .s_axil_awaddr  (awaddr_i),
    .s_axil_awprot  (3'd0),
    .s_axil_wready  (wready),
    .s_axil_wvalid  (wvalid_i),
    .s_axil_wdata   (wdata_i),
    .s_axil_wstrb   (wstrb_i),
    .s_axil_bready  (bready_i),
    .s_axil_bvalid  (bvalid),
    .s_axil_arready (arready),
    .s_axil_arvalid (arvalid_i),
    .s_axil_araddr  (araddr_i),
    .s_axil_arprot  (3'd0),
    .s_axil_rready  (rready_i),
    .s_axil_rvalid  (rvalid)
`include "td_regs_memories.svh"
  );

  always_comb assume (past || !rst_ni);

  always_ff @(posedge clk_i) begin
    past        <= 1'b1;
    acknowledge <= rst_ni && requests != '0;
    if (!rst_ni) begin
      writes   <= '0;
      datas    <= '0;
      reads    <= '0;
      patience <= '0;
    end else begin
      writes <= writes + 3'(awvalid_i && awready) - 3'(bvalid && bready_i);
      datas  <= datas + 3'(wvalid_i && wready) - 3'(bvalid && bready_i);
      reads  <= reads + 3'(arvalid_i && arready) - 3'(rvalid && rready_i);
      if ((bvalid && bready_i) || (rvalid && rready_i) || (reads == '0 && (writes == '0 || datas == '0))) patience <= '0;
      else if (bready_i && rready_i) patience <= patience + 1'b1;
      else patience <= '0;
    end

    if (past && rst_ni) begin
      assert (!(bvalid && rvalid));                     // one queue of answers
      assert (!bvalid || (writes != '0 && datas != '0));
      assert (!rvalid || reads != '0);
      assert (writes <= 3'd3 && datas <= 3'd3 && reads <= 3'd3);
      assert (patience < 5'd8);                         // answered within 8 clocks of a willing master
    end
    if (past && $past(rst_ni) && rst_ni) begin
      if ($past(bvalid && !bready_i)) assert (bvalid);
      if ($past(rvalid && !rready_i)) assert (rvalid);
    end

    cover (past && rst_ni && writes == 3'd2 && reads == 3'd1 && bvalid);
    cover (past && rst_ni && reads == 3'd2);
    cover (past && rst_ni && $past(acknowledge, 2) && rvalid);
  end
endmodule
