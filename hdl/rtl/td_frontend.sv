// Metering front-end: voltage and current samples in; half-cycle RMS, frequency, powers, energies,
// power-fail events, dips, swells and interruptions out, behind an AXI4-Lite register map (hdl/regs/teiden_frontend.rdl, docs/front-end.md).
//
// Four channels, two elements of a voltage and a current each (u1_i, i1_i, u2_i, i2_i), are taken together with
// each valid_i; at least 64 clocks lie between two of them (STATUS.overrun tells when not). Half cycles, frequency,
// power failure and the quality of the voltage are those of u1_i. Every measured quantity depends on the samples only, not on the clocks between
// them. tick_i enables the time base of the trigger stamp: 1 on a board; valid_i only with tick_i.
// irq_o is a level: an enabled bit of IRQ_STATUS is set.
module td_frontend #(
  parameter int CaptureDepth = 4096
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               tick_i,
  input  logic               valid_i,
  input  logic signed [23:0] u1_i,    // ADC codes, as the three below
  input  logic signed [23:0] i1_i,
  input  logic signed [23:0] u2_i,
  input  logic signed [23:0] i2_i,
  input  logic               fast_i,    // 1: the power-fail detector takes detect_i instead of u1_i
  input  logic signed [23:0] detect_i,  // U1 before slow filters (td_ingress)
  input  logic               trig_i,  // asynchronous
  output logic               irq_o,
  output logic               cf_o,    // energy pulses
  output logic [1:0]         source_o,        // for td_ingress
  input  logic [10:0]        ingress_flag_i,  // from it, one clock each
  // AXI4-Stream of the capture
  output logic               m_axis_tvalid,
  input  logic               m_axis_tready,
  output logic [31:0]        m_axis_tdata,
  output logic               m_axis_tlast,
  // AXI4-Lite, named as the generated register file and Vivado's interface inference have it
  input  logic [14:0]        s_axil_awaddr,
  input  logic [2:0]         s_axil_awprot,
  input  logic               s_axil_awvalid,
  output logic               s_axil_awready,
  input  logic [31:0]        s_axil_wdata,
  input  logic [3:0]         s_axil_wstrb,
  input  logic               s_axil_wvalid,
  output logic               s_axil_wready,
  output logic [1:0]         s_axil_bresp,
  output logic               s_axil_bvalid,
  input  logic               s_axil_bready,
  input  logic [14:0]        s_axil_araddr,
  input  logic [2:0]         s_axil_arprot,
  input  logic               s_axil_arvalid,
  output logic               s_axil_arready,
  output logic [31:0]        s_axil_rdata,
  output logic [1:0]         s_axil_rresp,
  output logic               s_axil_rvalid,
  input  logic               s_axil_rready
);
  localparam int PlaceWidth = $clog2(CaptureDepth);

  // ---- the newest sample and its number ---------------------------------------------------------
  logic               valid_q;
  logic signed [23:0] u1_q, i1_q, u2_q, i2_q, detect_q;
  logic [47:0]        total_q, index;  // samples so far; number of the newest
  logic               busy_cross, busy_half, busy_detect, busy_power, busy_quality;
  logic               overrun;
  logic        [3:0]  railed;  // u1, i1, u2, i2

  assign index   = total_q - 48'd1;
  assign overrun = valid_i && (valid_q || busy_cross || busy_half || busy_detect || busy_power
                              || busy_quality || busy_points);
  assign railed  = valid_q ? {at_rail(i2_q), at_rail(u2_q), at_rail(i1_q), at_rail(u1_q)} : 4'd0;

  function automatic logic at_rail(input logic signed [23:0] code);
    at_rail = code == 24'sh7FFFFF || code == 24'sh800000 || code == 24'sh800001;
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      u1_q    <= '0;
      i1_q    <= '0;
      u2_q    <= '0;
      i2_q    <= '0;
      detect_q <= '0;
      total_q <= '0;
    end else begin
      valid_q <= valid_i;
      if (valid_i) begin
        u1_q    <= u1_i;
        i1_q    <= i1_i;
        u2_q    <= u2_i;
        i2_q    <= i2_i;
        detect_q <= fast_i ? detect_i : u1_i;
        total_q <= total_q + 48'd1;
      end
    end
  end

  // ---- registers -> blocks ------------------------------------------------------------------------
  logic        detect, quality, take, pop, arm, freeze;
  logic [27:0] hysteresis, confirm_rms, return_rms;
  logic [7:0]  blank, timeout, cadence, ratio;
  logic [12:0] k;
  logic [31:0] drop, low, floor_value;
  logic [4:0]  persist;
  logic [15:0] confirm_samples, return_samples;
  logic [11:0] post;
  logic        irq_en_event, irq_en_half, irq_en_trigger, irq_en_capture;
  logic        irq_event, irq_half, irq_trigger, irq_capture;
  logic        irq_en_harmonics, irq_en_window, irq_harmonics, irq_window;

  assign irq_o = (irq_event && irq_en_event) || (irq_half && irq_en_half)
              || (irq_trigger && irq_en_trigger) || (irq_capture && irq_en_capture)
              || (irq_harmonics && irq_en_harmonics) || (irq_window && irq_en_window);

  // ---- half cycles ----------------------------------------------------------------------------------
  logic               lost, step, boundary, crossing, restart;
  logic        [15:0] fraction;
  logic signed [23:0] delayed;
  logic               squared;  // square is good
  logic        [47:0] square;   // of delayed
  logic               publish, urms_valid;
  logic        [31:0] half_count, period10;
  logic        [27:0] u_half, urms;
  logic        [7:0]  period;
  logic        [47:0] cross_index;
  logic        [15:0] cross_fraction;
  logic               pair, publishing, whole;
  logic        [24:0] half_length, former_length;

  td_zero_cross u_zero_cross (
    .clk_i,
    .rst_ni,
    .valid_i     (valid_q),
    .sample_i    (u1_q),
    .hysteresis_i(hysteresis),
    .blank_i     (blank),
    .timeout_i   (timeout),
    .cadence_i   (cadence),
    .busy_o      (busy_cross),
    .lost_o      (lost),
    .step_o      (step),
    .boundary_o  (boundary),
    .crossing_o  (crossing),
    .restart_o   (restart),
    .fraction_o  (fraction),
    .delayed_o   (delayed)
  );

  td_half_cycle u_half_cycle (
    .clk_i,
    .rst_ni,
    .valid_i         (valid_q),
    .index_i         (index),
    .step_i          (squared),
    .boundary_i      (boundary),
    .crossing_i      (crossing),
    .restart_i       (restart),
    .fraction_i      (fraction),
    .square_i        (square),
    .busy_o          (busy_half),
    .publish_o       (publish),
    .count_o         (half_count),
    .u_half_o        (u_half),
    .urms_o          (urms),
    .urms_valid_o    (urms_valid),
    .period10_o      (period10),
    .period_o        (period),
    .cross_index_o   (cross_index),
    .cross_fraction_o(cross_fraction),
    .half_length_o   (half_length),
    .former_length_o (former_length),
    .pair_o          (pair),
    .publishing_o    (publishing),
    .whole_o         (whole)
  );

  // ---- two elements: calibration, sums, powers, energies, pulses ------------------------------------------
  logic        [1:0]       wiring, cf_source;
  logic        [31:0]      no_load_p, no_load_q, cf_count, meter_data;
  logic        [3:0][23:0] gain, offset;  // of u1, i1, u2, i2
  logic        [3:0][16:0] phase;
  logic                    cf_enable, cf_late, clipped;
  logic        [47:0]      cf_energy;
  logic        [15:0]      cf_width;
  logic                    meter_req, meter_ack;
  logic        [7:0]       meter_addr;
  logic                    word_valid;    // calibrated words, behind DC removal, one channel after the other
  logic        [1:0]       word_channel;
  logic signed [30:0]      word;          // 1/16 ADC code
  logic                    result_low, result_high;
  logic        [4:0]       result_index;
  logic        [63:0]      result_data;
  logic        [29:0]      irms;
  logic                    loaded_p, loaded_q;
  logic        [63:0]      p, q, s, e_forward, e_reverse, e_lagging, e_leading, e_run;

  td_metrology u_metrology (
    .clk_i,
    .rst_ni,
    .valid_i         (valid_q),
    .code_i          ({i2_q, u2_q, i1_q, u1_q}),
    .gain_i          (gain),
    .offset_i        (offset),
    .phase_i         (phase),
    .mode_i          (wiring),
    .no_load_p_i     (no_load_p),
    .no_load_q_i     (no_load_q),
    .busy_o          (busy_power),
    .clip_o          (clipped),
    .boundary_i      (boundary),
    .restart_i       (restart),
    .fraction_i      (fraction),
    .delayed_i       (delayed),
    .squared_o       (squared),
    .square_o        (square),
    .half_length_i   (half_length),
    .former_length_i (former_length),
    .pair_i          (pair),
    .publishing_i    (publishing),
    .whole_i         (whole),
    .word_valid_o    (word_valid),
    .word_channel_o  (word_channel),
    .word_o          (word),
    .write_low_o     (result_low),
    .write_high_o    (result_high),
    .index_o         (result_index),
    .data_o          (result_data),
    .irms_o          (irms),
    .p_o             (p),
    .q_o             (q),
    .s_o             (s),
    .loaded_p_o      (loaded_p),
    .loaded_q_o      (loaded_q),
    .energy_forward_o(e_forward),
    .energy_reverse_o(e_reverse),
    .energy_lagging_o(e_lagging),
    .energy_leading_o(e_leading),
    .run_o           (e_run)
  );

  td_results u_results (
    .clk_i,
    .rst_ni,
    .write_low_i (result_low),
    .write_high_i(result_high),
    .index_i     (result_index),
    .data_i      (result_data),
    .publishing_i(publishing),
    .whole_i     (whole),
    .take_i      (take),
    .req_i       (meter_req),
    .addr_i      (meter_addr[7:2]),
    .ack_o       (meter_ack),
    .data_o      (meter_data)
  );

  td_pulse u_pulse (
    .clk_i,
    .rst_ni,
    .valid_i   (squared),
    .enable_i  (cf_enable),
    .source_i  (cf_source),
    .energy_i  (cf_energy),
    .width_i   (cf_width),
    .p_i       (p),
    .q_i       (q),
    .loaded_p_i(loaded_p),
    .loaded_q_i(loaded_q),
    .cf_o,
    .count_o   (cf_count),
    .late_o    (cf_late)
  );

  // ---- 128 points a cycle, fundamental, harmonics ---------------------------------------------------
  logic               busy_points;
  logic               point, window_published, harmonics_start, harmonics_busy, harmonics_done, harmonics_finish;
  logic        [10:0] point_place;
  logic signed [24:0] point_u1, point_i1, point_u2, point_i2;  // half codes
  logic        [31:0] window_length, fund_data, harm_data;
  logic               window_locked, fund_req, fund_ack, harm_req, harm_ack;
  logic        [1:0]  harmonics_channel;
  logic        [6:0]  fund_addr;
  logic        [8:0]  harm_addr;

  td_resample u_resample (
    .clk_i,
    .rst_ni,
    .valid_i       (valid_q),
    .word_valid_i  (word_valid),
    .word_channel_i(word_channel),
    .word_i        (word),
    .publish_i     (publish),
    .period10_i    (period10),
    .busy_o        (busy_points),
    .point_o       (point),
    .place_o       (point_place),
    .u1_o          (point_u1),
    .i1_o          (point_i1),
    .u2_o          (point_u2),
    .i2_o          (point_i2),
    .period10_o    (window_length),
    .locked_o      (window_locked)
  );

  td_fundamental u_fundamental (
    .clk_i,
    .rst_ni,
    .valid_i   (valid_q),
    .point_i   (point),
    .place_i   (point_place),
    .u1_i      (point_u1),
    .i1_i      (point_i1),
    .u2_i      (point_u2),
    .i2_i      (point_i2),
    .period10_i(window_length),
    .locked_i  (window_locked),
    .publish_o (window_published),
    .snapshot_i(take),
    .req_i     (fund_req),
    .addr_i    (fund_addr[6:2]),
    .ack_o     (fund_ack),
    .data_o    (fund_data)
  );

  td_harmonics u_harmonics (
    .clk_i,
    .rst_ni,
    .valid_i   (valid_q),
    .start_i   (harmonics_start),
    .channel_i (harmonics_channel),
    .point_i   (point),
    .place_i   (point_place),
    .u1_i      (point_u1),
    .i1_i      (point_i1),
    .u2_i      (point_u2),
    .i2_i      (point_i2),
    .period10_i(window_length),
    .locked_i  (window_locked),
    .busy_o    (harmonics_busy),
    .done_o    (harmonics_done),
    .finish_o  (harmonics_finish),
    .req_i     (harm_req),
    .addr_i    (harm_addr[8:2]),
    .ack_o     (harm_ack),
    .data_o    (harm_data)
  );

  // ---- power fail, events, trigger, capture ---------------------------------------------------------
  logic [1:0]          state;
  logic                below, event_in, event_lost;
  logic [31:0]         envelope;
  logic [3:0]          kind, head_kind;
  logic [4:0]          waiting;
  logic [47:0]         head_sample;
  logic [27:0]         head_urms;
  logic                edge_seen, frozen, capture_done, read_ack, read_req;
  logic [47:0]         trig_sample, first;
  logic [31:0]         trig_ticks, ticks_period, read_data;
  logic [15:0]         trig_count;
  logic [PlaceWidth:0] capture_count;
  logic [13:0]         read_addr;

  td_power_fail u_power_fail (
    .clk_i,
    .rst_ni,
    .enable_i     (detect),
    .valid_i      (valid_q),
    .sample_i     (detect_q),
    .period_i     (period),
    .publish_i    (publish),
    .urms_valid_i (urms_valid),
    .urms_i       (urms),
    .k_i          (k),
    .drop_i       (drop),
    .low_i        (low),
    .floor_i      (floor_value),
    .ratio_i      (ratio),
    .persist_i    (persist),
    .confirm_i    (confirm_samples),
    .confirm_rms_i(confirm_rms),
    .return_rms_i (return_rms),
    .return_i     (return_samples),
    .busy_o       (busy_detect),
    .state_o      (state),
    .below_o      (below),
    .envelope_o   (envelope),
    .event_o      (event_in),
    .kind_o       (kind)
  );

  // A quality event comes 2 to 5 clocks after valid_q, one of the detector 17 clocks: never together.
  logic        quality_in;
  logic [3:0]  quality_kind, kind_in;
  logic [27:0] extreme, head_extreme, dip, swell, interruption, quality_hysteresis;

  td_quality u_quality (
    .clk_i,
    .rst_ni,
    .enable_i      (quality),
    .publish_i     (publish),
    .urms_valid_i  (urms_valid),
    .urms_i        (urms),
    .dip_i         (dip),
    .swell_i       (swell),
    .interruption_i(interruption),
    .hysteresis_i  (quality_hysteresis),
    .busy_o        (busy_quality),
    .event_o       (quality_in),
    .kind_o        (quality_kind),
    .extreme_o     (extreme)
  );

  assign kind_in = event_in ? kind : quality_kind;

  td_event_fifo #(
    .Width(108),
    .Depth(16)
  ) u_event_fifo (
    .clk_i,
    .rst_ni,
    .push_i   (event_in || quality_in),
    .data_i   ({kind_in, index, urms, event_in ? 28'd0 : extreme}),
    .pop_i    (pop),
    .data_o   ({head_kind, head_sample, head_urms, head_extreme}),
    .waiting_o(waiting),
    .lost_o   (event_lost)
  );

  td_trigger u_trigger (
    .clk_i,
    .rst_ni,
    .tick_i,
    .valid_i,
    .index_i (total_q),
    .trig_i,
    .edge_o  (edge_seen),
    .sample_o(trig_sample),
    .ticks_o (trig_ticks),
    .count_o (trig_count),
    .period_o(ticks_period)
  );

  logic        cap_trigger, cap_stream, cap_auto, cap_points, streaming;
  logic [2:0]  cap_enable;
  logic [11:0] pre;
  logic [1:0]  window;
  logic [3:0]  cap_channels, cause;
  logic [47:0] cap_sample;
  logic [PlaceWidth:0] cap_before;

  function automatic logic [23:0] code_of(input logic signed [24:0] half_codes);  // rounded half up, limited
    code_of = half_codes == 25'sh0FFFFFF ? 24'h7FFFFF : 24'((half_codes + 25'sd1) >>> 1);
  endfunction

  td_capture #(
    .Depth(CaptureDepth)
  ) u_capture (
    .clk_i,
    .rst_ni,
    .raw_valid_i (valid_q),
    .raw_i       ({i2_q, u2_q, i1_q, u1_q}),
    .index_i     (index),
    .fine_mode_i (cap_points),
    .fine_valid_i(point),
    .fine_i      ({code_of(point_i2), code_of(point_u2), code_of(point_i1), code_of(point_u1)}),
    .suspect_i   (event_in && kind == 4'd1),
    .event_i     (event_in || quality_in),
    .edge_i      (edge_seen),
    .command_i   (cap_trigger),
    .enable_i    (cap_enable),
    .arm_i       (arm),
    .freeze_i    (freeze),
    .pre_i       (PlaceWidth'(pre)),
    .post_i      (PlaceWidth'(post)),
    .frozen_o    (frozen),
    .done_o      (capture_done),
    .count_o     (capture_count),
    .before_o    (cap_before),
    .cause_o     (cause),
    .trigger_o   (cap_sample),
    .first_o     (first),
    .req_i       (read_req),
    .addr_i      (PlaceWidth'(read_addr >> 2)),
    .window_i    (window),
    .ack_o       (read_ack),
    .data_o      (read_data),
    .stream_i    (cap_stream),
    .auto_i      (cap_auto),
    .mask_i      (cap_channels),
    .streaming_o (streaming),
    .m_axis_tvalid,
    .m_axis_tready,
    .m_axis_tdata,
    .m_axis_tlast
  );

  // ---- latest transition of each kind: place 0 suspect, 1 confirmed, 2 withdrawn, 3 return ---------
  logic [47:0] stamp_q [4];
  logic [15:0] stamps_q [4];

  always_ff @(posedge clk_i) begin
    for (int j = 0; j < 4; j++) begin
      if (!rst_ni) begin
        stamp_q[j]  <= '0;
        stamps_q[j] <= '0;
      end else if (event_in && kind == 4'(j + 1)) begin
        stamp_q[j]  <= index;
        stamps_q[j] <= stamps_q[j] + 1'b1;
      end
    end
  end

  // ---- snapshot: all at one clock ---------------------------------------------------------------
  logic [47:0] total_s, cross_index_s, trig_sample_s;
  logic [31:0] half_count_s, period10_s, envelope_s, trig_ticks_s, ticks_period_s;
  logic [27:0] u_half_s, urms_s;
  logic [15:0] cross_fraction_s, trig_count_s;
  logic [1:0]  state_s;
  logic [29:0] irms_s;
  logic [31:0] cf_count_s;
  logic [63:0] p_s, q_s, s_s, e_forward_s, e_reverse_s, e_lagging_s, e_leading_s, e_run_s;
  logic        below_s;
  logic [7:0]  period_s;
  logic [47:0] stamp_s [4];
  logic [15:0] stamps_s [4];

  always_ff @(posedge clk_i) begin
    if (take) begin
      total_s          <= total_q;
      half_count_s     <= half_count;
      u_half_s         <= u_half;
      urms_s           <= urms;
      period10_s       <= period10;
      cross_index_s    <= cross_index;
      cross_fraction_s <= cross_fraction;
      envelope_s       <= envelope;
      state_s          <= state;
      below_s          <= below;
      period_s         <= period;
      trig_sample_s    <= trig_sample;
      trig_ticks_s     <= trig_ticks;
      trig_count_s     <= trig_count;
      ticks_period_s   <= ticks_period;
      irms_s           <= irms;
      cf_count_s       <= cf_count;
      p_s              <= p;
      q_s              <= q;
      s_s              <= s;
      e_forward_s      <= e_forward;
      e_reverse_s      <= e_reverse;
      e_lagging_s      <= e_lagging;
      e_leading_s      <= e_leading;
      e_run_s          <= e_run;
      for (int j = 0; j < 4; j++) begin
        stamp_s[j]  <= stamp_q[j];
        stamps_s[j] <= stamps_q[j];
      end
    end
  end

  // ---- register file ----------------------------------------------------------------------------
  logic saturated_flag, overflow_flag, overrun_flag, current_flag;  // sticky bits live in the register file
  logic u2_flag, i2_flag, clipped_flag, late_flag;
  logic [10:0] ingress_seen;
  logic unused;
  assign unused = &{1'b0, ingress_seen, saturated_flag, overflow_flag, overrun_flag, current_flag, u2_flag, i2_flag,
                    clipped_flag, late_flag, read_addr[1:0], meter_addr[1:0], step,
                    fund_addr[1:0], harm_addr[1:0]};

  td_regs u_regs (
    .clk                               (clk_i),
    .rst_n                             (rst_ni),
    .s_axil_awready,
    .s_axil_awvalid,
    .s_axil_awaddr,
    .s_axil_awprot,
    .s_axil_wready,
    .s_axil_wvalid,
    .s_axil_wdata,
    .s_axil_wstrb,
    .s_axil_bready,
    .s_axil_bvalid,
    .s_axil_bresp,
    .s_axil_arready,
    .s_axil_arvalid,
    .s_axil_araddr,
    .s_axil_arprot,
    .s_axil_rready,
    .s_axil_rvalid,
    .s_axil_rdata,
    .s_axil_rresp,
    .hwif_in_map_hash_value            (td_map_pkg::MapHash),
    .hwif_out_ctrl_detect              (detect),
    .hwif_out_ctrl_quality             (quality),
    .hwif_out_status_saturated         (saturated_flag),
    .hwif_in_status_saturated_hwset    (railed[0]),
    .hwif_out_status_event_overflow    (overflow_flag),
    .hwif_in_status_event_overflow_hwset(event_lost),
    .hwif_out_status_overrun           (overrun_flag),
    .hwif_in_status_overrun_hwset      (overrun),
    .hwif_out_status_current_saturated (current_flag),
    .hwif_in_status_current_saturated_hwset(railed[1]),
    .hwif_out_status_u2_saturated      (u2_flag),
    .hwif_in_status_u2_saturated_hwset (railed[2]),
    .hwif_out_status_i2_saturated      (i2_flag),
    .hwif_in_status_i2_saturated_hwset (railed[3]),
    .hwif_out_status_clipped           (clipped_flag),
    .hwif_in_status_clipped_hwset      (clipped),
    .hwif_out_status_cf_late           (late_flag),
    .hwif_in_status_cf_late_hwset      (cf_late),
    .hwif_in_status_crossing_lost      (lost),
    .hwif_in_status_urms_valid         (urms_valid),
    .hwif_in_status_period_valid       (period10 != '0),
    .hwif_out_irq_enable_event_in      (irq_en_event),
    .hwif_out_irq_enable_half_cycle    (irq_en_half),
    .hwif_out_irq_enable_trigger       (irq_en_trigger),
    .hwif_out_irq_enable_capture       (irq_en_capture),
    .hwif_out_irq_status_event_in      (irq_event),
    .hwif_in_irq_status_event_in_hwset (event_in || quality_in),
    .hwif_out_irq_status_half_cycle    (irq_half),
    .hwif_in_irq_status_half_cycle_hwset(publish),
    .hwif_out_irq_status_trigger       (irq_trigger),
    .hwif_in_irq_status_trigger_hwset  (edge_seen),
    .hwif_out_irq_status_capture       (irq_capture),
    .hwif_in_irq_status_capture_hwset  (capture_done),
    .hwif_out_snapshot_take            (take),
    .hwif_in_sample_lo_value           (total_s[31:0]),
    .hwif_in_sample_hi_value           (total_s[47:32]),
    .hwif_in_half_count_value          (half_count_s),
    .hwif_in_u_half_value              (u_half_s),
    .hwif_in_urms_half_value           (urms_s),
    .hwif_in_period_10_value           (period10_s),
    .hwif_in_cross_lo_value            (cross_index_s[31:0]),
    .hwif_in_cross_hi_sample           (cross_index_s[47:32]),
    .hwif_in_cross_hi_fraction         (cross_fraction_s),
    .hwif_in_envelope_value            (envelope_s),
    .hwif_in_det_state_state           (state_s),
    .hwif_in_det_state_below           (below_s),
    .hwif_in_det_state_period          (period_s),
    .hwif_in_suspect_lo_value          (stamp_s[0][31:0]),
    .hwif_in_suspect_hi_sample         (stamp_s[0][47:32]),
    .hwif_in_suspect_hi_count          (stamps_s[0]),
    .hwif_in_confirmed_lo_value        (stamp_s[1][31:0]),
    .hwif_in_confirmed_hi_sample       (stamp_s[1][47:32]),
    .hwif_in_confirmed_hi_count        (stamps_s[1]),
    .hwif_in_withdrawn_lo_value        (stamp_s[2][31:0]),
    .hwif_in_withdrawn_hi_sample       (stamp_s[2][47:32]),
    .hwif_in_withdrawn_hi_count        (stamps_s[2]),
    .hwif_in_return_lo_value           (stamp_s[3][31:0]),
    .hwif_in_return_hi_sample          (stamp_s[3][47:32]),
    .hwif_in_return_hi_count           (stamps_s[3]),
    .hwif_in_trig_lo_value             (trig_sample_s[31:0]),
    .hwif_in_trig_hi_sample            (trig_sample_s[47:32]),
    .hwif_in_trig_hi_count             (trig_count_s),
    .hwif_in_trig_ticks_value          (trig_ticks_s),
    .hwif_in_ticks_per_sample_value    (ticks_period_s),
    .hwif_in_event_kind                (head_kind),
    .hwif_in_event_waiting             (waiting),
    .hwif_in_event_lo_value            (head_sample[31:0]),
    .hwif_in_event_hi_value            (head_sample[47:32]),
    .hwif_in_event_urms_value          (head_urms),
    .hwif_out_event_pop_drop           (pop),
    .hwif_out_cross_hysteresis_value   (hysteresis),
    .hwif_out_cross_timing_blank       (blank),
    .hwif_out_cross_timing_timeout     (timeout),
    .hwif_out_cross_timing_cadence     (cadence),
    .hwif_out_det_k_value              (k),
    .hwif_out_det_drop_value           (drop),
    .hwif_out_det_low_value            (low),
    .hwif_out_det_floor_value          (floor_value),
    .hwif_out_det_shape_ratio          (ratio),
    .hwif_out_det_shape_persist        (persist),
    .hwif_out_det_confirm_samples      (confirm_samples),
    .hwif_out_det_confirm_rms_value    (confirm_rms),
    .hwif_out_det_return_rms_value     (return_rms),
    .hwif_out_det_return_samples       (return_samples),
    .hwif_in_irms_half_value           (irms_s),
    .hwif_in_p_lo_value                 (p_s[31:0]),
    .hwif_in_p_hi_value                 (p_s[63:32]),
    .hwif_in_q_lo_value                 (q_s[31:0]),
    .hwif_in_q_hi_value                 (q_s[63:32]),
    .hwif_in_s_lo_value                 (s_s[31:0]),
    .hwif_in_s_hi_value                 (s_s[63:32]),
    .hwif_in_e_forward_lo_value         (e_forward_s[31:0]),
    .hwif_in_e_forward_hi_value         (e_forward_s[63:32]),
    .hwif_in_e_reverse_lo_value         (e_reverse_s[31:0]),
    .hwif_in_e_reverse_hi_value         (e_reverse_s[63:32]),
    .hwif_in_e_lagging_lo_value         (e_lagging_s[31:0]),
    .hwif_in_e_lagging_hi_value         (e_lagging_s[63:32]),
    .hwif_in_e_leading_lo_value         (e_leading_s[31:0]),
    .hwif_in_e_leading_hi_value         (e_leading_s[63:32]),
    .hwif_in_e_run_lo_value             (e_run_s[31:0]),
    .hwif_in_e_run_hi_value             (e_run_s[63:32]),
    .hwif_in_event_extreme_value       (head_extreme),
    .hwif_out_qual_dip_value           (dip),
    .hwif_out_qual_swell_value         (swell),
    .hwif_out_qual_interruption_value  (interruption),
    .hwif_out_qual_hysteresis_value    (quality_hysteresis),
    .hwif_out_cap_ctrl_arm             (arm),
    .hwif_out_cap_ctrl_freeze          (freeze),
    .hwif_out_cap_post_samples         (post),
    .hwif_out_cap_ctrl_trigger         (cap_trigger),
    .hwif_out_cap_ctrl_stream          (cap_stream),
    .hwif_out_cap_enable_suspect       (cap_enable[0]),
    .hwif_out_cap_enable_event_in      (cap_enable[1]),
    .hwif_out_cap_enable_trigger       (cap_enable[2]),
    .hwif_out_cap_pre_samples          (pre),
    .hwif_out_cap_window_channel       (window),
    .hwif_out_cap_stream_channels      (cap_channels),
    .hwif_out_cap_stream_auto          (cap_auto),
    .hwif_in_cap_cause_suspect         (cause[0]),
    .hwif_in_cap_cause_event_in        (cause[1]),
    .hwif_in_cap_cause_trigger         (cause[2]),
    .hwif_in_cap_cause_command         (cause[3]),
    .hwif_in_cap_cause_streaming       (streaming),
    .hwif_in_cap_cause_earlier         (13'(cap_before)),
    .hwif_in_cap_trig_lo_value         (cap_sample[31:0]),
    .hwif_in_cap_trig_hi_value         (cap_sample[47:32]),
    .hwif_out_cap_mode_points          (cap_points),
    .hwif_out_ing_ctrl_source          (source_o),
    .hwif_out_ing_status_crc_error         (ingress_seen[0]),
    .hwif_in_ing_status_crc_error_hwset    (ingress_flag_i[0]),
    .hwif_out_ing_status_setup_error       (ingress_seen[1]),
    .hwif_in_ing_status_setup_error_hwset  (ingress_flag_i[1]),
    .hwif_out_ing_status_adc_reset         (ingress_seen[2]),
    .hwif_in_ing_status_adc_reset_hwset    (ingress_flag_i[2]),
    .hwif_out_ing_status_late              (ingress_seen[3]),
    .hwif_in_ing_status_late_hwset         (ingress_flag_i[3]),
    .hwif_out_ing_status_silent            (ingress_seen[4]),
    .hwif_in_ing_status_silent_hwset       (ingress_flag_i[4]),
    .hwif_out_ing_status_bit_overrun       (ingress_seen[5]),
    .hwif_in_ing_status_bit_overrun_hwset  (ingress_flag_i[5]),
    .hwif_out_ing_status_limited           (ingress_seen[6]),
    .hwif_in_ing_status_limited_hwset      (ingress_flag_i[6]),
    .hwif_out_ing_status_u1_clipped        (ingress_seen[7]),
    .hwif_in_ing_status_u1_clipped_hwset   (ingress_flag_i[7]),
    .hwif_out_ing_status_i1_clipped        (ingress_seen[8]),
    .hwif_in_ing_status_i1_clipped_hwset   (ingress_flag_i[8]),
    .hwif_out_ing_status_u2_clipped        (ingress_seen[9]),
    .hwif_in_ing_status_u2_clipped_hwset   (ingress_flag_i[9]),
    .hwif_out_ing_status_i2_clipped        (ingress_seen[10]),
    .hwif_in_ing_status_i2_clipped_hwset   (ingress_flag_i[10]),
    .hwif_in_cap_status_frozen         (frozen),
    .hwif_in_cap_status_count          (13'(capture_count)),
    .hwif_in_cap_first_lo_value        (first[31:0]),
    .hwif_in_cap_first_hi_value        (first[47:32]),
    .hwif_out_wiring_mode              (wiring),
    .hwif_out_no_load_p_value          (no_load_p),
    .hwif_out_no_load_q_value          (no_load_q),
    .hwif_out_cal_u1_gain_value         (gain[0]),
    .hwif_out_cal_u1_offset_value         (offset[0]),
    .hwif_out_cal_u1_phase_value         (phase[0]),
    .hwif_out_cal_i1_gain_value         (gain[1]),
    .hwif_out_cal_i1_offset_value         (offset[1]),
    .hwif_out_cal_i1_phase_value         (phase[1]),
    .hwif_out_cal_u2_gain_value         (gain[2]),
    .hwif_out_cal_u2_offset_value         (offset[2]),
    .hwif_out_cal_u2_phase_value         (phase[2]),
    .hwif_out_cal_i2_gain_value         (gain[3]),
    .hwif_out_cal_i2_offset_value         (offset[3]),
    .hwif_out_cal_i2_phase_value         (phase[3]),
    .hwif_out_cf_ctrl_enable           (cf_enable),
    .hwif_out_cf_ctrl_source           (cf_source),
    .hwif_out_cf_energy_lo_value       (cf_energy[31:0]),
    .hwif_out_cf_energy_hi_value       (cf_energy[47:32]),
    .hwif_out_cf_width_samples         (cf_width),
    .hwif_in_cf_count_value            (cf_count_s),
    .hwif_out_meter_addr               (meter_addr),
    .hwif_out_meter_req                (meter_req),
    .hwif_in_meter_rd_data             (meter_data),
    .hwif_in_meter_rd_ack              (meter_ack),
    .hwif_in_irq_status_harmonics_hwset(harmonics_finish),
    .hwif_out_irq_status_harmonics     (irq_harmonics),
    .hwif_in_irq_status_window_hwset   (window_published),
    .hwif_out_irq_status_window        (irq_window),
    .hwif_out_irq_enable_harmonics     (irq_en_harmonics),
    .hwif_out_irq_enable_window        (irq_en_window),
    .hwif_out_harm_ctrl_start          (harmonics_start),
    .hwif_out_harm_ctrl_channel        (harmonics_channel),
    .hwif_in_harm_status_done          (harmonics_done),
    .hwif_in_harm_status_busy          (harmonics_busy),
    .hwif_out_fund_addr                (fund_addr),
    .hwif_out_fund_req                 (fund_req),
    .hwif_in_fund_rd_data              (fund_data),
    .hwif_in_fund_rd_ack               (fund_ack),
    .hwif_out_harm_data_addr           (harm_addr),
    .hwif_out_harm_data_req            (harm_req),
    .hwif_in_harm_data_rd_data         (harm_data),
    .hwif_in_harm_data_rd_ack          (harm_ack),
    .hwif_out_cap_data_addr            (read_addr),
    .hwif_out_cap_data_req             (read_req),
    .hwif_in_cap_data_rd_data          (read_data),
    // One request waits at a time; etana takes no acknowledgement of a memory with named words (meter, fund).
    .hwif_in_cap_data_rd_ack           (read_ack || meter_ack || fund_ack)
  );
endmodule
