// Properties of td_control (hdl/formal/run.py): with 64 clocks a sample every block is done when the
// next one comes, each step comes once a sample, and no two events meet.
logic       f_past = 1'b0;
logic [6:0] f_clock;      // clocks since valid_i, up to 64
logic [7:0] f_sources;
logic       f_due, f_guard, f_limiter;  // of the clock before

always_comb assume (f_past || !rst_ni);
always_comb assume (!valid_i || f_clock == 7'd64);
// The detector's event comes 17 clocks after valid_i, those of td_quality 2 to 15, the guard's 1 after its step.
always_comb assume (!detected_i || f_clock == 7'd17);
always_comb assume (!quality_i || (f_clock >= 7'd2 && f_clock <= 7'd15));
logic f_guard_step;
always_comb assume (!guard_i || f_guard_step);
always_comb assume (detected_kind_i >= 4'd1 && quality_kind_i >= 4'd5);
// The blocks are left out: what each is proved to keep is assumed of it, an event one clock after its step.
logic [5:0] f_step;
always_comb begin
  assume (!rvc_event || f_step[0]);
  assume (!oc_event || f_step[1]);
  assume (!lim_event || f_step[2]);
  assume (!lg_event || f_step[3]);
  assume (!hold_event || f_step[4]);
end
assign f_sources = {detected_i, quality_i, rvc_event, oc_event, lim_event, lg_event, hold_event, crossing_event_q};

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  f_guard_step <= rst_ni && guard_step_o;
  f_step       <= rst_ni ? step[5:0] : '0;
  if (!rst_ni) f_clock <= 7'd64;
  else if (valid_i) f_clock <= 7'd0;
  else if (f_clock != 7'd64) f_clock <= f_clock + 1'b1;

  if (f_past && rst_ni) begin
    assert (f_clock <= 7'd64);
    assert (!valid_i || !busy_o);
    assert (clock_q == '0 ? f_clock >= 7'(FirstStep + 2 * Steps) : 7'(clock_q) == f_clock + 7'd1);
    assert ($onehot0(step));
    if (step != '0) assert (f_clock >= 7'(FirstStep - 1));
    if (crossing_event_q) assert (f_step[5]);
    assert (!guard_i || f_guard_step);
    assert ($onehot0({f_sources, guard_i}));
    assert (event_o == f_due);
  end
  f_due     <= rst_ni && (f_sources != '0 || guard_i);
  f_guard   <= guard_i;
  f_limiter <= lim_event;

  cover (f_past && rst_ni && event_o && f_limiter);
  cover (f_past && rst_ni && event_o && f_guard);
  cover (f_past && rst_ni && valid_i && f_past && $past(f_clock) == 7'd63);
end
