// Control blocks: rapid voltage change, over-current, ampere limit, Last Gasp, hold-up capacitor,
// interval energies; and the one stream of events of the whole front-end.
//
// Each block takes its step in a clock of its own after valid_i, FirstStep and on, so that no two
// events fall into one clock and their order depends on the samples only. The detector (17 clocks after
// valid_i) and td_quality (up to 15) come before; the guard steps last, with guard_step_o. event_o comes
// one clock behind the event of a block. busy_o is high from valid_i to the last step. An edge of minute_i
// (asynchronous) or tick_i is a time tick.
module td_control #(
  parameter int FirstStep = 20
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        valid_i,           // a sample
  input  logic [47:0] index_i,           // its number
  output logic        busy_o,
  // switches
  input  logic        rapid_change_i,
  input  logic        overcurrent_i,
  input  logic        limiter_i,
  input  logic        last_gasp_i,
  input  logic        holdup_i,
  input  logic        crossing_i,
  // half-cycle values
  input  logic        publish_i,
  input  logic        urms_valid_i,
  input  logic [27:0] urms_i,            // 1/16 ADC code
  input  logic [28:0] irms1_i,           // 1/16 ADC code
  input  logic [28:0] irms2_i,
  input  logic        lost_i,            // no zero crossings
  input  logic [63:0] forward_i,         // energies
  input  logic [63:0] reverse_i,
  input  logic [63:0] lagging_i,
  input  logic [63:0] leading_i,
  // events of the detector, of td_quality and of the guard
  input  logic        detected_i,
  input  logic [3:0]  detected_kind_i,
  input  logic        suspicious_i,      // the detector suspects or has confirmed
  input  logic        quality_i,
  input  logic [3:0]  quality_kind_i,
  input  logic [27:0] quality_extreme_i,
  input  logic        disturbed_i,       // a dip or swell lasts
  output logic        guard_step_o,
  input  logic        guard_i,
  input  logic [5:0]  guard_kind_i,
  input  logic [31:0] guard_crc_i,
  input  logic [31:0] guard_reference_i,
  // events out
  output logic        event_o,
  output logic [5:0]  kind_o,
  output logic [31:0] value_o,
  output logic [31:0] extra_o,
  // rapid voltage change, over-current
  input  logic [27:0] rvc_threshold_i,
  input  logic [27:0] rvc_hysteresis_i,
  input  logic [6:0]  rvc_count_i,
  output logic [27:0] rvc_mean_o,
  output logic        rvc_steady_o,
  input  logic [28:0] oc_threshold_i,
  input  logic [28:0] oc_hysteresis_i,
  output logic        oc_active_o,
  // ampere limit
  input  logic        lim_sum_i,
  input  logic [29:0] lim_min_i,
  input  logic [29:0] lim_max_i,
  input  logic [27:0] lim_trip_i,
  input  logic [27:0] lim_reclose_i,
  input  logic [27:0] lim_clear_i,
  input  logic [3:0]  lim_tries_i,
  input  logic        lim_apply_i,
  input  logic        lim_schedule_i,
  input  logic        lim_schedule_tick_i,
  input  logic        lim_cancel_i,
  input  logic        lim_release_i,
  input  logic [15:0] lim_id_i,
  input  logic [29:0] lim_value_i,
  input  logic [47:0] lim_at_i,
  output logic        lim_duplicate_o,
  output logic        lim_refused_o,
  output logic        breaker_closed_o,
  output logic [1:0]  lim_state_o,
  output logic [3:0]  lim_tries_o,
  output logic        lim_pending_o,
  output logic        lim_pending_tick_o,
  output logic [15:0] lim_id_o,
  output logic [29:0] lim_limit_o,
  output logic [15:0] lim_applied_id_o,
  output logic [47:0] lim_applied_at_o,
  output logic [29:0] lim_current_o,
  // Last Gasp, hold-up capacitor
  input  logic [27:0] lg_declare_i,
  input  logic [31:0] lg_delay_i,
  input  logic        lg_sent_i,
  input  logic        lg_clear_i,
  output logic        last_gasp_o,
  output logic [2:0]  lg_state_o,
  output logic [63:0] lg_onset_o,
  output logic [47:0] lg_return_o,
  output logic [15:0] lg_declared_o,
  output logic [15:0] lg_momentary_o,
  input  logic        holdup_valid_i,
  input  logic [11:0] holdup_code_i,
  input  logic [11:0] hold_low_i,
  input  logic [11:0] hold_hysteresis_i,
  input  logic [11:0] hold_stop_i,
  output logic [11:0] hold_code_o,
  output logic        hold_low_o,
  output logic [23:0] hold_energy_o,
  // crossings lost, for one clock
  output logic        crossing_lost_o,
  // intervals
  input  logic        minute_i,          // asynchronous
  input  logic        tick_i,
  input  logic        align_i,
  input  logic [4:0]  align_minute_i,
  output logic        int_misuse_o,
  output logic        int_busy_o,
  output logic [31:0] int_ticks_o,
  output logic [5:0]  int_newest_o,
  output logic [5:0]  int_count_o,
  output logic [2:0]  int_latest_o,
  output logic [4:0]  int_minute_o,
  input  logic        int_req_i,
  input  logic [8:0]  int_addr_i,
  output logic        int_ack_o,
  output logic [31:0] int_data_o
);
  localparam logic [5:0] KindCrossingLost = 6'd22;
  localparam int Steps = 8;

  // ---- steps ------------------------------------------------------------------------------------------
  logic [5:0]       clock_q;  // clocks since valid_i
  logic [Steps-1:0] step;
  logic             fresh_q;  // publish_i came with this sample

  assign busy_o = clock_q != '0;

  for (genvar j = 0; j < Steps; j++) begin : gen_step
    assign step[j] = clock_q == 6'(FirstStep + 2 * j);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      clock_q <= '0;
      fresh_q <= 1'b0;
    end else begin
      if (valid_i) clock_q <= 6'd1;
      else if (clock_q != '0) clock_q <= clock_q == 6'(FirstStep + 2 * Steps) ? 6'd0 : clock_q + 1'b1;
      if (publish_i) fresh_q <= 1'b1;
      else if (valid_i) fresh_q <= 1'b0;
    end
  end

  // ---- time tick ------------------------------------------------------------------------------------
  (* ASYNC_REG = "TRUE" *) logic [1:0] sync_q;
  logic former_q, tick;

  assign tick = tick_i || (sync_q[1] && !former_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sync_q   <= '0;
      former_q <= 1'b0;
    end else begin
      sync_q   <= {sync_q[0], minute_i};
      former_q <= sync_q[1];
    end
  end

  // ---- blocks -----------------------------------------------------------------------------------------
  logic rvc_event, oc_event, lim_event, lg_event, hold_event;
  logic [5:0] rvc_kind, oc_kind, lim_kind, lg_kind, hold_kind;
  logic [27:0] rvc_value, lg_waited;
  logic [28:0] oc_value;
  logic [29:0] lim_value, lim_extra;
  logic [31:0] rvc_extra, oc_extra;

  logic [28:0] larger, smaller;  // current of the two poles

  // The sign of a difference: this takes fewer LUTs than a comparison.
  function automatic logic less(input logic [28:0] left, input logic [28:0] right);
    logic [29:0] difference;
    difference = {1'b0, left} - {1'b0, right};
    less       = difference[29];
  endfunction

  assign {larger, smaller} = less(irms2_i, irms1_i) ? {irms1_i, irms2_i} : {irms2_i, irms1_i};

  td_rapid_change u_rapid_change (
    .clk_i,
    .rst_ni,
    .enable_i    (rapid_change_i),
    .step_i      (step[0]),
    .fresh_i     (fresh_q),
    .urms_valid_i,
    .urms_i,
    .disturbed_i,
    .threshold_i (rvc_threshold_i),
    .hysteresis_i(rvc_hysteresis_i),
    .count_i     (rvc_count_i),
    .event_o     (rvc_event),
    .kind_o      (rvc_kind),
    .value_o     (rvc_value),
    .extra_o     (rvc_extra),
    .steady_o    (rvc_steady_o),
    .mean_o      (rvc_mean_o)
  );

  td_overcurrent u_overcurrent (
    .clk_i,
    .rst_ni,
    .enable_i    (overcurrent_i),
    .step_i      (step[1]),
    .fresh_i     (fresh_q),
    .irms_i      (larger),
    .threshold_i (oc_threshold_i),
    .hysteresis_i(oc_hysteresis_i),
    .event_o     (oc_event),
    .kind_o      (oc_kind),
    .value_o     (oc_value),
    .extra_o     (oc_extra),
    .active_o    (oc_active_o)
  );

  td_limiter u_limiter (
    .clk_i,
    .rst_ni,
    .enable_i       (limiter_i),
    .step_i         (step[2]),
    .index_i,
    .fresh_i        (fresh_q),
    .larger_i       (larger),
    .smaller_i      (smaller),
    .sum_i          (lim_sum_i),
    .min_i          (lim_min_i),
    .max_i          (lim_max_i),
    .trip_i         (lim_trip_i),
    .reclose_i      (lim_reclose_i),
    .clear_i        (lim_clear_i),
    .tries_i        (lim_tries_i),
    .tick_i         (tick),
    .apply_i        (lim_apply_i),
    .schedule_i     (lim_schedule_i),
    .schedule_tick_i(lim_schedule_tick_i),
    .cancel_i       (lim_cancel_i),
    .release_i      (lim_release_i),
    .id_i           (lim_id_i),
    .value_i        (lim_value_i),
    .at_i           (lim_at_i),
    .duplicate_o    (lim_duplicate_o),
    .refused_o      (lim_refused_o),
    .closed_o       (breaker_closed_o),
    .state_o        (lim_state_o),
    .tries_o        (lim_tries_o),
    .pending_o      (lim_pending_o),
    .pending_tick_o (lim_pending_tick_o),
    .id_o           (lim_id_o),
    .limit_o        (lim_limit_o),
    .applied_id_o   (lim_applied_id_o),
    .applied_at_o   (lim_applied_at_o),
    .current_o      (lim_current_o),
    .event_o        (lim_event),
    .kind_o         (lim_kind),
    .value_o        (lim_value),
    .extra_o        (lim_extra)
  );

  td_last_gasp u_last_gasp (
    .clk_i,
    .rst_ni,
    .enable_i       (last_gasp_i),
    .step_i         (step[3]),
    .index_i,
    .detected_i,
    .detected_kind_i({2'd0, detected_kind_i}),
    .declare_i      (lg_declare_i),
    .delay_i        (lg_delay_i),
    .sent_i         (lg_sent_i),
    .clear_i        (lg_clear_i),
    .last_gasp_o,
    .state_o        (lg_state_o),
    .onset_o        (lg_onset_o),
    .return_o       (lg_return_o),
    .declared_o     (lg_declared_o),
    .momentary_o    (lg_momentary_o),
    .event_o        (lg_event),
    .kind_o         (lg_kind),
    .waited_o       (lg_waited)
  );

  td_holdup u_holdup (
    .clk_i,
    .rst_ni,
    .enable_i    (holdup_i),
    .step_i      (step[4]),
    .code_valid_i(holdup_valid_i),
    .code_i      (holdup_code_i),
    .low_i       (hold_low_i),
    .hysteresis_i(hold_hysteresis_i),
    .stop_i      (hold_stop_i),
    .code_o      (hold_code_o),
    .low_o       (hold_low_o),
    .energy_o    (hold_energy_o),
    .event_o     (hold_event),
    .kind_o      (hold_kind)
  );

  td_intervals u_intervals (
    .clk_i,
    .rst_ni,
    .step_i   (step[7]),
    .index_i,
    .forward_i,
    .reverse_i,
    .lagging_i,
    .leading_i,
    .freeze_i (suspicious_i),
    .tick_i   (tick),
    .align_i,
    .minute_i (align_minute_i),
    .misuse_o (int_misuse_o),
    .busy_o   (int_busy_o),
    .ticks_o  (int_ticks_o),
    .newest_o (int_newest_o),
    .count_o  (int_count_o),
    .latest_o (int_latest_o),
    .minute_o (int_minute_o),
    .req_i    (int_req_i),
    .addr_i   (int_addr_i),
    .ack_o    (int_ack_o),
    .data_o   (int_data_o)
  );

  assign guard_step_o = step[6];

  // ---- zero crossings lost ----------------------------------------------------------------------------
  logic lost_q, crossing_event_q;  // lost at the step before; 1 after reset: nothing was there to lose

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      lost_q           <= 1'b1;
      crossing_event_q <= 1'b0;
      crossing_lost_o  <= 1'b0;
    end else begin
      crossing_event_q <= 1'b0;
      crossing_lost_o  <= 1'b0;
      if (step[5]) begin
        lost_q           <= lost_i;
        crossing_lost_o  <= lost_i && !lost_q;
        crossing_event_q <= lost_i && !lost_q && crossing_i;
      end
    end
  end

  // ---- one stream of events: at most one of these in a clock, shown in the next ---------------------
  // What goes with an event is chosen four at a time into flip-flops that are 0 without one.
  logic block, energy, more, event_d;
  logic [31:0] block_value_q, block_extra_q, more_value_q, more_extra_q;

  assign block   = rvc_event || oc_event || lim_event || quality_i;
  assign energy  = lg_event || hold_event;
  assign more    = rvc_event || oc_event || lim_event || lg_event;
  assign event_d = detected_i || block || energy || crossing_event_q || guard_i;
  assign value_o = block_value_q | more_value_q;
  assign extra_o = block_extra_q | more_extra_q;

  always_ff @(posedge clk_i) begin
    event_o <= rst_ni && event_d;
    kind_o  <= (detected_i ? {2'd0, detected_kind_i} : 6'd0) | (quality_i ? {2'd0, quality_kind_i} : 6'd0)
             | (rvc_event ? rvc_kind : 6'd0) | (oc_event ? oc_kind : 6'd0) | (lim_event ? lim_kind : 6'd0)
             | (lg_event ? lg_kind : 6'd0) | (hold_event ? hold_kind : 6'd0)
             | (crossing_event_q ? KindCrossingLost : 6'd0) | (guard_i ? guard_kind_i : 6'd0);
    unique case ({
      oc_event || lim_event, rvc_event || lim_event
    })
      2'd0:    {block_value_q, block_extra_q} <= {32'(quality_extreme_i), 32'(lg_waited)};
      2'd1:    {block_value_q, block_extra_q} <= {32'(rvc_value), rvc_extra};
      2'd2:    {block_value_q, block_extra_q} <= {32'(oc_value), oc_extra};
      default: {block_value_q, block_extra_q} <= {32'(lim_value), 32'(lim_extra)};
    endcase
    if (!block) block_value_q <= '0;
    if (!more) block_extra_q <= '0;
    more_value_q <= guard_i ? guard_crc_i : 32'(hold_energy_o);
    if (!energy && !guard_i) more_value_q <= '0;
    more_extra_q <= guard_i ? guard_reference_i : '0;
  end

`ifdef FORMAL
  `include "td_control.svh"
`endif
endmodule
