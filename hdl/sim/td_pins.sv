// Pins of the compiled front-end. Verilator evaluates all logic behind an input of its top module at every call;
// behind these flip-flops it does so only when load_i toggles.
module td_pins (
  input  logic        clk_i,
  input  logic        load_i,
  input  logic        rst_ni,
  input  logic        tick_i,
  input  logic        valid_i,
  input  logic [23:0] u1_i,
  input  logic [23:0] i1_i,
  input  logic [23:0] u2_i,
  input  logic [23:0] i2_i,
  input  logic        trig_i,
  input  logic        minute_i,
  input  logic        holdup_valid_i,
  input  logic [11:0] holdup_code_i,
  output logic        last_gasp_o,
  output logic        breaker_closed_o,
  output logic        irq_o,
  output logic        m_axis_tvalid,
  input  logic        m_axis_tready,
  output logic [31:0] m_axis_tdata,
  output logic        m_axis_tlast,
  input  logic [14:0] s_axil_awaddr,
  input  logic        s_axil_awvalid,
  output logic        s_axil_awready,
  input  logic [31:0] s_axil_wdata,
  input  logic        s_axil_wvalid,
  output logic        s_axil_wready,
  output logic        s_axil_bvalid,
  input  logic        s_axil_bready,
  input  logic [14:0] s_axil_araddr,
  input  logic        s_axil_arvalid,
  output logic        s_axil_arready,
  output logic [31:0] s_axil_rdata,
  output logic        s_axil_rvalid,
  input  logic        s_axil_rready
);
  logic        rst_nq, tick_q, valid_q, trig_q, minute_q, holdup_valid_q, tready_q;
  logic        awvalid_q, wvalid_q, bready_q, arvalid_q, rready_q;
  logic [23:0] u1_q, i1_q, u2_q, i2_q;
  logic [11:0] holdup_code_q;
  logic [14:0] awaddr_q, araddr_q;
  logic [31:0] wdata_q;

  always_ff @(edge load_i) begin
    rst_nq         <= rst_ni;
    tick_q         <= tick_i;
    valid_q        <= valid_i;
    u1_q           <= u1_i;
    i1_q           <= i1_i;
    u2_q           <= u2_i;
    i2_q           <= i2_i;
    trig_q         <= trig_i;
    minute_q       <= minute_i;
    holdup_valid_q <= holdup_valid_i;
    holdup_code_q  <= holdup_code_i;
    tready_q       <= m_axis_tready;
    awaddr_q       <= s_axil_awaddr;
    awvalid_q      <= s_axil_awvalid;
    wdata_q        <= s_axil_wdata;
    wvalid_q       <= s_axil_wvalid;
    bready_q       <= s_axil_bready;
    araddr_q       <= s_axil_araddr;
    arvalid_q      <= s_axil_arvalid;
    rready_q       <= s_axil_rready;
  end

  td_frontend td_frontend (
    .clk_i,
    .rst_ni        (rst_nq),
    .tick_i        (tick_q),
    .valid_i       (valid_q),
    .u1_i          (u1_q),
    .i1_i          (i1_q),
    .u2_i          (u2_q),
    .i2_i          (i2_q),
    .fast_i        (1'b0),
    .detect_i      ('0),
    .trig_i        (trig_q),
    .minute_i      (minute_q),
    .holdup_valid_i(holdup_valid_q),
    .holdup_code_i (holdup_code_q),
    .last_gasp_o,
    .breaker_closed_o,
    .irq_o,
    .cf_o          (),
    .source_o      (),
    .ingress_flag_i('0),
    .m_axis_tvalid,
    .m_axis_tready (tready_q),
    .m_axis_tdata,
    .m_axis_tlast,
    .s_axil_awaddr (awaddr_q),
    .s_axil_awprot ('0),
    .s_axil_awvalid(awvalid_q),
    .s_axil_awready,
    .s_axil_wdata  (wdata_q),
    .s_axil_wstrb  (4'hF),
    .s_axil_wvalid (wvalid_q),
    .s_axil_wready,
    .s_axil_bresp  (),
    .s_axil_bvalid,
    .s_axil_bready (bready_q),
    .s_axil_araddr (araddr_q),
    .s_axil_arprot ('0),
    .s_axil_arvalid(arvalid_q),
    .s_axil_arready,
    .s_axil_rdata,
    .s_axil_rresp  (),
    .s_axil_rvalid,
    .s_axil_rready (rready_q)
  );
endmodule
