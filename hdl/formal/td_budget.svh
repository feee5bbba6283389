// Property of a block of the datapath (hdl/formal/run.py): with 64 clocks between samples it is done
// Budget clocks after one, so valid implies not busy and no sample is lost, for any samples.
logic       f_past = 1'b0;
logic [6:0] f_clock;  // clocks since valid_i, up to 63

always_comb assume (f_past || !rst_ni);
always_comb assume (!valid_i || f_clock == 7'd63);

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (!rst_ni) f_clock <= 7'd63;
  else if (valid_i) f_clock <= 7'd0;
  else if (f_clock != 7'd63) f_clock <= f_clock + 1'b1;

  if (f_past && rst_ni) begin
    assert (f_clock <= 7'd63);
    assert (!busy_o || f_clock < 7'(Budget));
    assert (!valid_i || !busy_o);
  end

  cover (f_past && rst_ni && valid_i && f_clock == 7'd63);
  cover (f_past && rst_ni && busy_o && f_clock == 7'(Budget - 1));
end
