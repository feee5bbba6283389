// Property of a control block that td_control's proof relies on (hdl/formal/run.py): an event comes one
// clock after a step and lasts one clock, for any values at the inputs.
logic f_past = 1'b0;

always_comb assume (f_past || !rst_ni);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (f_past && rst_ni && $past(rst_ni) && event_o) assert ($past(step_i));
  if (f_past && rst_ni && !$past(rst_ni)) assert (!event_o);
  cover (f_past && rst_ni && event_o);
end
