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
  input  logic               minute_i,        // asynchronous; an edge ends a minute
  input  logic               holdup_valid_i,  // a code of the hold-up capacitor's voltage
  input  logic        [11:0] holdup_code_i,
  output logic               last_gasp_o,     // the Last Gasp is due
  output logic               breaker_closed_o,
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
  logic valid_q;
  logic signed [23:0] u1_q, i1_q, u2_q, i2_q, detect_q;
  logic [47:0] total_q, index;  // samples so far; number of the newest
  logic busy_cross, busy_half, busy_detect, busy_power, busy_quality;
  logic               overrun;
  logic        [3:0]  railed;  // u1, i1, u2, i2

  assign overrun = valid_i && (valid_q || busy_cross || busy_half || busy_detect || busy_power
                              || busy_quality || busy_points || busy_control);
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
      index   <= '1;
    end else begin
      valid_q <= valid_i;
      if (valid_i) begin
        u1_q    <= u1_i;
        i1_q    <= i1_i;
        u2_q    <= u2_i;
        i2_q    <= i2_i;
        detect_q <= fast_i ? detect_i : u1_i;
        total_q <= total_q + 48'd1;
        index   <= total_q;
      end
    end
  end

  // ---- registers -> blocks ------------------------------------------------------------------------
  logic detect, quality, take, pop, arm, freeze;
  logic [27:0] hysteresis, confirm_rms, return_rms;
  logic [7:0] blank, timeout, cadence, ratio;
  logic [12:0] k;
  logic [31:0] drop, low, floor_value;
  logic [4:0] persist;
  logic [15:0] confirm_samples, return_samples;
  logic [11:0] post;
  logic irq_en_event, irq_en_half, irq_en_trigger, irq_en_capture;
  logic irq_event, irq_half, irq_trigger, irq_capture;
  logic irq_en_harmonics, irq_en_window, irq_harmonics, irq_window;

  assign irq_o = (irq_event && irq_en_event) || (irq_half && irq_en_half)
              || (irq_trigger && irq_en_trigger) || (irq_capture && irq_en_capture)
              || (irq_harmonics && irq_en_harmonics) || (irq_window && irq_en_window);

  // ---- half cycles ----------------------------------------------------------------------------------
  logic lost, step, boundary, crossing, restart;
  logic        [15:0] fraction;
  logic signed [23:0] delayed;
  logic               squared;  // square is good
  logic        [47:0] square;   // of delayed
  logic publish, urms_valid;
  logic [31:0] half_count, period10;
  logic [27:0] u_half, urms;
  logic        [7:0]  period;
  logic        [47:0] cross_index;
  logic        [15:0] cross_fraction;
  logic pair, publishing, whole;
  logic [24:0] half_length, former_length;

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
  logic [1:0] wiring, cf_source;
  logic [31:0] no_load_p, no_load_q, cf_count, meter_data;
  logic [3:0][23:0] gain, offset;  // of u1, i1, u2, i2
  logic [3:0][16:0] phase;
  logic cf_enable, cf_late, clipped;
  logic        [47:0]      cf_energy;
  logic        [15:0]      cf_width;
  logic meter_req, totals_req, meter_ack;
  logic        [7:0]       meter_addr;
  logic        [5:0]       totals_addr;
  logic                    word_valid;    // calibrated words, behind DC removal, one channel after the other
  logic        [1:0]       word_channel;
  logic signed [30:0]      word;          // 1/16 ADC code
  logic                    result_write;
  logic        [5:0]       result_index;
  logic        [31:0]      result_data;
  logic loaded_p, loaded_q;
  logic [63:0] p, q, e_forward, e_reverse, e_lagging, e_leading, e_run;

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
    .write_o         (result_write),
    .index_o         (result_index),
    .data_o          (result_data),
    .p_o             (p),
    .q_o             (q),
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
    .write_i     (result_write),
    .index_i     (result_index),
    .data_i      (result_data),
    .publishing_i(publishing),
    .whole_i     (whole),
    .take_i      (take),
    // Energies stand still from a suspicion on, at what they were then.
    .take_energy_i(frozen_energy ? event_in && kind == 4'd1 : take),
    .req_i       (meter_req || totals_req),
    .totals_i    (totals_req),
    .addr_i      (totals_req ? 6'(totals_addr >> 2) : meter_addr[7:2]),
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
  logic busy_points;
  logic point, window_published, harmonics_start, harmonics_busy, harmonics_done, harmonics_finish;
  logic [10:0] point_place;
  logic signed [24:0] point_u1, point_i1, point_u2, point_i2;  // half codes
  logic [26:0] window_length;
  logic [31:0] fund_data, harm_data;
  logic window_locked, fund_req, fund_ack, harm_req, harm_ack;
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
  logic [1:0] state;
  logic below, event_in, event_lost;
  logic [31:0]         envelope;
  logic [3:0]          kind;
  logic [5:0]          head_kind;
  logic [31:0] head_value, head_extra;
  logic [4:0]          waiting;
  logic [47:0]         head_sample;
  logic [27:0]         head_urms;
  logic edge_seen, frozen, capture_done, read_ack, read_req;
  logic [47:0] trig_sample, first;
  logic [31:0] trig_ticks, ticks_period, read_data;
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

  logic quality_in, disturbed;
  logic [3:0] quality_kind;
  logic [27:0] extreme, dip, swell, interruption, quality_hysteresis;

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
    .extreme_o     (extreme),
    .active_o      (disturbed)
  );

  // ---- control blocks and the stream of events --------------------------------------------------
  logic busy_control, pushed, frozen_energy, guard_step, guard_event;
  logic [5:0] pushed_kind, guard_kind;
  logic [31:0] pushed_value, pushed_extra, guard_crc, guard_reference;
  logic run_rvc, run_oc, run_limiter, run_last_gasp, run_holdup, run_crossing, run_freeze;
  logic [27:0] rvc_threshold, rvc_hysteresis, rvc_mean;
  logic [6:0] rvc_count;
  logic rvc_steady, oc_active, crossing_lost;
  logic [28:0] oc_threshold, oc_hysteresis;
  logic [29:0] lim_max, lim_min, lim_value, lim_limit, lim_current;
  logic [27:0] lim_trip, lim_reclose, lim_clear, lg_declare;
  logic [3:0] lim_tries, lim_tries_now;
  logic lim_sum, lim_apply, lim_schedule, lim_schedule_tick, lim_cancel, lim_release;
  logic lim_duplicate, lim_refused, lim_pending, lim_pending_tick;
  logic [15:0] lim_id, lim_id_now, lim_applied_id, lg_declared, lg_momentary, guard_passes;
  logic [47:0] lim_at, lim_applied_at, lg_return;
  logic [1:0] lim_state;
  logic [31:0] lg_delay, int_ticks, int_data;
  logic lg_sent, lg_clear, hold_low_now, int_tick, int_align, int_misuse, int_busy, int_req, int_ack;
  logic [2:0] lg_state, int_latest;
  logic [63:0] lg_onset;
  logic [11:0] hold_low, hold_hysteresis, hold_stop, hold_code;
  logic [23:0] hold_energy;
  logic [4:0] int_align_minute, int_minute;
  logic [5:0] int_newest, int_count;
  logic [10:0] int_addr;
  logic guard_locked, guard_learned, guard_mismatch, locked_write, unmapped;

  // RMS of i1 and i2, words 2 and 4 of the results, shown with the others and limited to 29 bits.
  logic [29:0] irms1_next_q, irms2_next_q;
  logic [28:0] irms1_q, irms2_q;

  function automatic logic [28:0] limited(input logic [29:0] value);
    limited = value[29] ? '1 : value[28:0];
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      irms1_next_q <= '0;
      irms2_next_q <= '0;
      irms1_q      <= '0;
      irms2_q      <= '0;
    end else begin
      if (result_write && result_index == 6'd2) irms1_next_q <= result_data[29:0];
      if (result_write && result_index == 6'd4) irms2_next_q <= result_data[29:0];
      if (publishing && whole) begin
        irms1_q <= limited(irms1_next_q);
        irms2_q <= limited(irms2_next_q);
      end
    end
  end

  assign frozen_energy = run_freeze && state[1];  // suspect or confirmed

  td_control u_control (
    .clk_i,
    .rst_ni,
    .valid_i            (valid_q),
    .index_i            (index),
    .busy_o             (busy_control),
    .rapid_change_i     (run_rvc),
    .overcurrent_i      (run_oc),
    .limiter_i          (run_limiter),
    .last_gasp_i        (run_last_gasp && detect),
    .holdup_i           (run_holdup),
    .crossing_i         (run_crossing),
    .publish_i          (publish),
    .urms_valid_i       (urms_valid),
    .urms_i             (urms),
    .irms1_i            (irms1_q),
    .irms2_i            (irms2_q),
    .lost_i             (lost),
    .forward_i          (e_forward),
    .reverse_i          (e_reverse),
    .lagging_i          (e_lagging),
    .leading_i          (e_leading),
    .detected_i         (event_in),
    .detected_kind_i    (kind),
    .suspicious_i       (frozen_energy),
    .quality_i          (quality_in),
    .quality_kind_i     (quality_kind),
    .quality_extreme_i  (extreme),
    .disturbed_i        (disturbed),
    .guard_step_o       (guard_step),
    .guard_i            (guard_event),
    .guard_kind_i       (guard_kind),
    .guard_crc_i        (guard_crc),
    .guard_reference_i  (guard_reference),
    .event_o            (pushed),
    .kind_o             (pushed_kind),
    .value_o            (pushed_value),
    .extra_o            (pushed_extra),
    .rvc_threshold_i    (rvc_threshold),
    .rvc_hysteresis_i   (rvc_hysteresis),
    .rvc_count_i        (rvc_count),
    .rvc_mean_o         (rvc_mean),
    .rvc_steady_o       (rvc_steady),
    .oc_threshold_i     (oc_threshold),
    .oc_hysteresis_i    (oc_hysteresis),
    .oc_active_o        (oc_active),
    .lim_sum_i          (lim_sum),
    .lim_min_i          (lim_min),
    .lim_max_i          (lim_max),
    .lim_trip_i         (lim_trip),
    .lim_reclose_i      (lim_reclose),
    .lim_clear_i        (lim_clear),
    .lim_tries_i        (lim_tries),
    .lim_apply_i        (lim_apply),
    .lim_schedule_i     (lim_schedule),
    .lim_schedule_tick_i(lim_schedule_tick),
    .lim_cancel_i       (lim_cancel),
    .lim_release_i      (lim_release),
    .lim_id_i           (lim_id),
    .lim_value_i        (lim_value),
    .lim_at_i           (lim_at),
    .lim_duplicate_o    (lim_duplicate),
    .lim_refused_o      (lim_refused),
    .breaker_closed_o,
    .lim_state_o        (lim_state),
    .lim_tries_o        (lim_tries_now),
    .lim_pending_o      (lim_pending),
    .lim_pending_tick_o (lim_pending_tick),
    .lim_id_o           (lim_id_now),
    .lim_limit_o        (lim_limit),
    .lim_applied_id_o   (lim_applied_id),
    .lim_applied_at_o   (lim_applied_at),
    .lim_current_o      (lim_current),
    .lg_declare_i       (lg_declare),
    .lg_delay_i         (lg_delay),
    .lg_sent_i          (lg_sent),
    .lg_clear_i         (lg_clear),
    .last_gasp_o,
    .lg_state_o         (lg_state),
    .lg_onset_o         (lg_onset),
    .lg_return_o        (lg_return),
    .lg_declared_o      (lg_declared),
    .lg_momentary_o     (lg_momentary),
    .holdup_valid_i,
    .holdup_code_i,
    .hold_low_i         (hold_low),
    .hold_hysteresis_i  (hold_hysteresis),
    .hold_stop_i        (hold_stop),
    .hold_code_o        (hold_code),
    .hold_low_o         (hold_low_now),
    .hold_energy_o      (hold_energy),
    .crossing_lost_o    (crossing_lost),
    .minute_i,
    .tick_i             (int_tick),
    .align_i            (int_align),
    .align_minute_i     (int_align_minute),
    .int_misuse_o       (int_misuse),
    .int_busy_o         (int_busy),
    .int_ticks_o        (int_ticks),
    .int_newest_o       (int_newest),
    .int_count_o        (int_count),
    .int_latest_o       (int_latest),
    .int_minute_o       (int_minute),
    .int_req_i          (int_req),
    .int_addr_i         (int_addr[10:2]),
    .int_ack_o          (int_ack),
    .int_data_o         (int_data)
  );

  td_event_fifo #(
    .Width(146),
    .Depth(16)
  ) u_event_fifo (
    .clk_i,
    .rst_ni,
    .push_i   (pushed),
    .data_i   ({pushed_kind, index, urms, pushed_value, pushed_extra}),
    .pop_i    (pop),
    .data_o   ({head_kind, head_sample, head_urms, head_value, head_extra}),
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

  logic cap_trigger, cap_stream, cap_auto, cap_points, streaming;
  logic [2:0]  cap_enable;
  logic [11:0] pre;
  logic [1:0]  window;
  logic [3:0] cap_channels, cause;
  logic [47:0] cap_sample;
  logic [PlaceWidth:0] cap_before;

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
    .fine_i      ({point_i2, point_u2, point_i1, point_u1}),
    .suspect_i   (pushed && pushed_kind == 6'd1),
    .event_i     (pushed),
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
  logic [31:0] cf_count_s;
  logic [63:0] e_run_s;
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
      cf_count_s       <= cf_count;
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
  logic [7:0]  misuse_flags;
  logic [31:0] guard_key;  // the guard sees it on the bus
  logic unused;
  assign unused = &{1'b0, misuse_flags, guard_key, int_addr[1:0], lg_declared[15:8], ingress_seen,
                    result_data[31:30], saturated_flag, overflow_flag, overrun_flag, current_flag, u2_flag, i2_flag,
                    clipped_flag, late_flag, read_addr[1:0], meter_addr[1:0], totals_addr[1:0], step,
                    fund_addr[1:0], harm_addr[1:0]};

  // ---- write lock and checksum, in front of the register file -----------------------------------
  logic g_awvalid, g_awready, g_wvalid, g_wready, g_bvalid, g_bready;
  logic g_arvalid, g_arready, g_rvalid, g_rready;
  logic [3:0]  g_wstrb;
  logic [14:0] g_araddr;

  td_guard u_guard (
    .clk_i,
    .rst_ni,
    .valid_i       (valid_q),
    .step_i        (guard_step),
    .s_awaddr_i    (s_axil_awaddr),
    .s_awvalid_i   (s_axil_awvalid),
    .s_awready_o   (s_axil_awready),
    .s_wdata_i     (s_axil_wdata),
    .s_wstrb_i     (s_axil_wstrb),
    .s_wvalid_i    (s_axil_wvalid),
    .s_wready_o    (s_axil_wready),
    .s_bvalid_o    (s_axil_bvalid),
    .s_bready_i    (s_axil_bready),
    .s_araddr_i    (s_axil_araddr),
    .s_arvalid_i   (s_axil_arvalid),
    .s_arready_o   (s_axil_arready),
    .s_rvalid_o    (s_axil_rvalid),
    .s_rready_i    (s_axil_rready),
    .m_awvalid_o   (g_awvalid),
    .m_awready_i   (g_awready),
    .m_wstrb_o     (g_wstrb),
    .m_wvalid_o    (g_wvalid),
    .m_wready_i    (g_wready),
    .m_bvalid_i    (g_bvalid),
    .m_bready_o    (g_bready),
    .m_araddr_o    (g_araddr),
    .m_arvalid_o   (g_arvalid),
    .m_arready_i   (g_arready),
    .m_rdata_i     (s_axil_rdata),
    .m_rvalid_i    (g_rvalid),
    .m_rready_o    (g_rready),
    .locked_write_o(locked_write),
    .unmapped_o    (unmapped),
    .locked_o      (guard_locked),
    .learned_o     (guard_learned),
    .mismatch_o    (guard_mismatch),
    .crc_o         (guard_crc),
    .reference_o   (guard_reference),
    .passes_o      (guard_passes),
    .event_o       (guard_event),
    .kind_o        (guard_kind)
  );

  td_regs u_regs (
    .clk                               (clk_i),
    .rst_n                             (rst_ni),
    .s_axil_awready                    (g_awready),
    .s_axil_awvalid                    (g_awvalid),
    .s_axil_awaddr,
    .s_axil_awprot,
    .s_axil_wready                     (g_wready),
    .s_axil_wvalid                     (g_wvalid),
    .s_axil_wdata,
    .s_axil_wstrb                      (g_wstrb),
    .s_axil_bready                     (g_bready),
    .s_axil_bvalid                     (g_bvalid),
    .s_axil_bresp,
    .s_axil_arready                    (g_arready),
    .s_axil_arvalid                    (g_arvalid),
    .s_axil_araddr                     (g_araddr),
    .s_axil_arprot,
    .s_axil_rready                     (g_rready),
    .s_axil_rvalid                     (g_rvalid),
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
    .hwif_in_irq_status_event_in_hwset (pushed),
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
    .hwif_in_e_run_lo_value             (e_run_s[31:0]),
    .hwif_in_e_run_hi_value             (e_run_s[63:32]),
    .hwif_in_event_extreme_value       (head_value),
    .hwif_in_event_extra_value         (head_extra),
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
    .hwif_out_totals_addr              (totals_addr),
    .hwif_out_totals_req               (totals_req),
    .hwif_in_totals_rd_data            ('0),  // answered by meter_ack with meter_data
    .hwif_in_totals_rd_ack             (1'b0),
    .hwif_out_control_rapid_change      (run_rvc),
    .hwif_out_control_overcurrent       (run_oc),
    .hwif_out_control_limiter           (run_limiter),
    .hwif_out_control_last_gasp         (run_last_gasp),
    .hwif_out_control_holdup            (run_holdup),
    .hwif_out_control_crossing          (run_crossing),
    .hwif_out_control_freeze            (run_freeze),
    .hwif_out_misuse_duplicate          (misuse_flags[0]),
    .hwif_in_misuse_duplicate_hwset     (lim_duplicate),
    .hwif_out_misuse_refused            (misuse_flags[1]),
    .hwif_in_misuse_refused_hwset       (lim_refused),
    .hwif_out_misuse_tick               (misuse_flags[2]),
    .hwif_in_misuse_tick_hwset          (int_misuse),
    .hwif_out_misuse_locked_write       (misuse_flags[3]),
    .hwif_in_misuse_locked_write_hwset  (locked_write),
    .hwif_out_misuse_unmapped           (misuse_flags[4]),
    .hwif_in_misuse_unmapped_hwset      (unmapped),
    .hwif_out_misuse_checksum           (misuse_flags[5]),
    .hwif_in_misuse_checksum_hwset      (guard_event),
    .hwif_out_misuse_crossing           (misuse_flags[6]),
    .hwif_in_misuse_crossing_hwset      (crossing_lost),
    .hwif_out_misuse_holdup             (misuse_flags[7]),
    .hwif_in_misuse_holdup_hwset        (pushed && pushed_kind == 6'd20),
    .hwif_out_rvc_threshold_value       (rvc_threshold),
    .hwif_out_rvc_hysteresis_value      (rvc_hysteresis),
    .hwif_out_rvc_window_count          (rvc_count),
    .hwif_in_rvc_state_mean             (rvc_mean),
    .hwif_in_rvc_state_steady           (rvc_steady),
    .hwif_out_oc_threshold_value        (oc_threshold),
    .hwif_out_oc_hysteresis_value       (oc_hysteresis),
    .hwif_out_lim_max_value             (lim_max),
    .hwif_out_lim_min_value             (lim_min),
    .hwif_out_lim_trip_samples          (lim_trip),
    .hwif_out_lim_reclose_samples       (lim_reclose),
    .hwif_out_lim_clear_samples         (lim_clear),
    .hwif_out_lim_mode_tries            (lim_tries),
    .hwif_out_lim_mode_sum              (lim_sum),
    .hwif_out_lim_value_value           (lim_value),
    .hwif_out_lim_at_lo_value           (lim_at[31:0]),
    .hwif_out_lim_at_hi_value           (lim_at[47:32]),
    .hwif_out_lim_command_apply         (lim_apply),
    .hwif_out_lim_command_schedule      (lim_schedule),
    .hwif_out_lim_command_schedule_tick (lim_schedule_tick),
    .hwif_out_lim_command_cancel        (lim_cancel),
    .hwif_out_lim_command_release_in    (lim_release),
    .hwif_out_lim_command_id            (lim_id),
    .hwif_in_lim_state_state            (lim_state),
    .hwif_in_lim_state_pending          (lim_pending),
    .hwif_in_lim_state_pending_tick     (lim_pending_tick),
    .hwif_in_lim_state_tries            (lim_tries_now),
    .hwif_in_lim_state_overcurrent      (oc_active),
    .hwif_in_lim_state_id               (lim_id_now),
    .hwif_in_lim_applied_value          (lim_limit),
    .hwif_in_lim_applied_lo_value       (lim_applied_at[31:0]),
    .hwif_in_lim_applied_hi_sample      (lim_applied_at[47:32]),
    .hwif_in_lim_applied_hi_id          (lim_applied_id),
    .hwif_in_lim_current_value          (lim_current),
    .hwif_out_lg_declare_samples        (lg_declare),
    .hwif_out_lg_delay_value            (lg_delay),
    .hwif_out_lg_command_sent           (lg_sent),
    .hwif_out_lg_command_clear          (lg_clear),
    .hwif_in_lg_state_state             (lg_state),
    .hwif_in_lg_state_frozen            (frozen_energy),
    .hwif_in_lg_state_declared          (lg_declared[7:0]),
    .hwif_in_lg_state_momentary         (lg_momentary),
    .hwif_in_lg_onset_lo_value          (lg_onset[47:16]),
    .hwif_in_lg_onset_hi_sample         (lg_onset[63:48]),
    .hwif_in_lg_onset_hi_fraction       (lg_onset[15:0]),
    .hwif_in_lg_return_lo_value         (lg_return[31:0]),
    .hwif_in_lg_return_hi_value         (lg_return[47:32]),
    .hwif_out_hold_low_low              (hold_low),
    .hwif_out_hold_low_hysteresis       (hold_hysteresis),
    .hwif_out_hold_stop_code            (hold_stop),
    .hwif_in_hold_code_code             (hold_code),
    .hwif_in_hold_code_low              (hold_low_now),
    .hwif_in_hold_energy_value          (hold_energy),
    .hwif_out_guard_key_value           (guard_key),
    .hwif_in_guard_state_locked         (guard_locked),
    .hwif_in_guard_state_learned        (guard_learned),
    .hwif_in_guard_state_mismatch       (guard_mismatch),
    .hwif_in_guard_state_passes         (guard_passes),
    .hwif_in_guard_crc_value            (guard_crc),
    .hwif_in_guard_reference_value      (guard_reference),
    .hwif_out_int_tick_tick             (int_tick),
    .hwif_out_int_tick_align            (int_align),
    .hwif_out_int_tick_minute           (int_align_minute),
    .hwif_in_int_state_newest           (int_newest),
    .hwif_in_int_state_count            (int_count),
    .hwif_in_int_state_minute           (int_minute),
    .hwif_in_int_state_latest           (int_latest),
    .hwif_in_int_state_busy             (int_busy),
    .hwif_in_int_ticks_value            (int_ticks),
    .hwif_out_int_data_addr             (int_addr),
    .hwif_out_int_data_req              (int_req),
    .hwif_in_int_data_rd_data           (int_data),
    .hwif_in_int_data_rd_ack            (int_ack),
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
    .hwif_in_cap_data_rd_ack           (read_ack)
  );
endmodule
