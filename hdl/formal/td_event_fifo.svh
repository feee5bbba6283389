// Properties of td_event_fifo (hdl/formal/run.py): an entry chosen at will comes out as it went in,
// after those before it and before those behind it; what does not fit is told.
logic                      f_past = 1'b0;
(* anyconst *) logic [7:0] f_number;              // of the entry that is watched, modulo 256
logic [7:0]                f_in, f_out, f_fill;   // entries taken in and out
logic [Width-1:0]          f_data;
logic                      f_inside;              // the watched entry is in the FIFO

always_comb assume (f_past || !rst_ni);
assign f_fill = f_in - f_out;

always_ff @(posedge clk_i) begin
  f_past <= 1'b1;
  if (!rst_ni) begin
    f_in     <= '0;
    f_out    <= '0;
    f_inside <= 1'b0;
  end else begin
    if (push_i && !lost_o) begin
      f_in <= f_in + 1'b1;
      if (f_in == f_number && !f_inside) begin
        f_inside <= 1'b1;
        f_data   <= data_i;
      end
    end
    if (pop_i && f_fill != '0) begin
      f_out <= f_out + 1'b1;
      if (f_inside && f_out == f_number) f_inside <= 1'b0;
    end
  end

  if (f_past && rst_ni) begin
    assert (f_fill <= 8'(Depth) && 8'(fill) == f_fill);
    assert (in_q == f_in[PlaceWidth:0] && out_q == f_out[PlaceWidth:0]);
    assert (lost_o == (push_i && f_fill == 8'(Depth)));
    assert (waiting_o != '0 || data_o == '0);
    assert (8'(waiting_o) == ($past(rst_ni) ? $past(f_fill) : 8'd0));
    assert (f_inside == (f_number - f_out < f_fill));
    if (f_inside) begin
      assert (store_q[f_number[PlaceWidth-1:0]] == f_data);
    end
    if ($past(rst_ni && f_inside && f_out == f_number)) assert (data_o == $past(f_data));
  end

  cover (f_past && rst_ni && lost_o && pop_i);
  cover (f_past && rst_ni && f_inside && f_out == f_number && f_number == 8'd5 && f_data == '1);
end
