// The front-end on a PYNQ-Z2: td_ingress and td_frontend side by side, pins to the outside,
// AXI4-Lite, AXI4-Stream and the interrupt to the block design of build.tcl. Verilog, because Vivado 2024.1 takes no
// SystemVerilog file as the top of a module reference. Not yet run on hardware.
//
// At 100 MHz SPI runs at 12.5 MHz and the modulators at 100 / 12 = 8.333 MHz, which makes 8138.02
// samples a second of source 2; the ADC on SPI has its own crystal and makes 8000.
// led_o: 0 blinks with the samples (every 4096 valid_o), 1 the interrupt, 2 the stream of the capture, 3 the trigger input.
module td_pynq_z2 (
  (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axil:m_axis, ASSOCIATED_RESET aresetn" *)
  input  wire        aclk,
  (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
  input  wire        aresetn,
  (* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 irq INTERRUPT" *)
  (* X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)
  output wire        irq,
  input  wire [14:0] s_axil_awaddr,
  input  wire [2:0]  s_axil_awprot,
  input  wire        s_axil_awvalid,
  output wire        s_axil_awready,
  input  wire [31:0] s_axil_wdata,
  input  wire [3:0]  s_axil_wstrb,
  input  wire        s_axil_wvalid,
  output wire        s_axil_wready,
  output wire [1:0]  s_axil_bresp,
  output wire        s_axil_bvalid,
  input  wire        s_axil_bready,
  input  wire [14:0] s_axil_araddr,
  input  wire [2:0]  s_axil_arprot,
  input  wire        s_axil_arvalid,
  output wire        s_axil_arready,
  output wire [31:0] s_axil_rdata,
  output wire [1:0]  s_axil_rresp,
  output wire        s_axil_rvalid,
  input  wire        s_axil_rready,
  output wire        m_axis_tvalid,
  input  wire        m_axis_tready,
  output wire [31:0] m_axis_tdata,
  output wire [3:0]  m_axis_tkeep,
  output wire        m_axis_tlast,
  // ADS131M04
  output wire        adc_cs_n,
  output wire        adc_sclk,
  output wire        adc_mosi,
  input  wire        adc_miso,
  input  wire        adc_drdy_n,
  output wire        adc_rst_n,
  // sigma-delta modulators
  output wire        sd_clk,
  input  wire [3:0]  sd_data,
  input  wire        trigger,
  output wire        cf,
  input  wire        minute,
  output wire        last_gasp,
  output wire        breaker_closed,
  output wire [3:0]  led
);
  wire [1:0]  source;
  wire        valid;
  wire [95:0] samples;
  wire        fast;
  wire [23:0] detect;
  wire [10:0] flags;
  reg  [12:0] beat_q;

  td_ingress #(
    .SpiHalfPeriod  (4),
    .SpiResetClocks (32768),
    .SpiSilentClocks(65536),
    .BitHalfPeriod  (6),
    .Oversampling   (256)
  ) u_ingress (
    .clk_i      (aclk),
    .rst_ni     (aresetn),
    .source_i   (source),
    .pcm_valid_i(1'b0),
    .pcm_i      (96'd0),
    .adc_drdy_ni(adc_drdy_n),
    .adc_miso_i (adc_miso),
    .adc_rst_no (adc_rst_n),
    .adc_cs_no  (adc_cs_n),
    .adc_sclk_o (adc_sclk),
    .adc_mosi_o (adc_mosi),
    .sd_mclk_o  (sd_clk),
    .sd_data_i  (sd_data),
    .valid_o    (valid),
    .samples_o  (samples),
    .fast_o     (fast),
    .detect_o   (detect),
    .flag_o     (flags)
  );

  td_frontend #(
    .CaptureDepth(4096)
  ) u_frontend (
    .clk_i         (aclk),
    .rst_ni        (aresetn),
    .tick_i        (1'b1),
    .valid_i       (valid),
    .u1_i          (samples[23:0]),
    .i1_i          (samples[47:24]),
    .u2_i          (samples[71:48]),
    .i2_i          (samples[95:72]),
    .fast_i        (fast),
    .detect_i      (detect),
    .trig_i        (trigger),
    .irq_o         (irq),
    .cf_o          (cf),
    .minute_i      (minute),
    .holdup_valid_i(1'b0),  // nothing measures the hold-up capacitor here
    .holdup_code_i (12'd0),
    .last_gasp_o   (last_gasp),
    .breaker_closed_o(breaker_closed),
    .source_o      (source),
    .ingress_flag_i(flags),
    .m_axis_tvalid (m_axis_tvalid),
    .m_axis_tready (m_axis_tready),
    .m_axis_tdata  (m_axis_tdata),
    .m_axis_tlast  (m_axis_tlast),
    .s_axil_awaddr (s_axil_awaddr),
    .s_axil_awprot (s_axil_awprot),
    .s_axil_awvalid(s_axil_awvalid),
    .s_axil_awready(s_axil_awready),
    .s_axil_wdata  (s_axil_wdata),
    .s_axil_wstrb  (s_axil_wstrb),
    .s_axil_wvalid (s_axil_wvalid),
    .s_axil_wready (s_axil_wready),
    .s_axil_bresp  (s_axil_bresp),
    .s_axil_bvalid (s_axil_bvalid),
    .s_axil_bready (s_axil_bready),
    .s_axil_araddr (s_axil_araddr),
    .s_axil_arprot (s_axil_arprot),
    .s_axil_arvalid(s_axil_arvalid),
    .s_axil_arready(s_axil_arready),
    .s_axil_rdata  (s_axil_rdata),
    .s_axil_rresp  (s_axil_rresp),
    .s_axil_rvalid (s_axil_rvalid),
    .s_axil_rready (s_axil_rready)
  );

  always @(posedge aclk) begin
    if (!aresetn) beat_q <= 13'd0;
    else          beat_q <= beat_q + {12'd0, valid};
  end

  assign m_axis_tkeep = 4'hF;
  assign led          = {trigger, m_axis_tvalid, irq, beat_q[12]};
endmodule
