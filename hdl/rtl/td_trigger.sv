// Time stamp of an edge on an outside line, in samples and ticks of clk_i with tick_i high (on a
// board every clock; a simulator holds tick_i low in clocks that take no simulated time).
// On a rising edge behind a two-flop synchroniser: edge_o for one clock, and then sample_o (number
// of the sample whose strobe came last), ticks_o (ticks from that strobe to the edge) and count_o.
// The synchroniser makes ticks_o 2 too large, or 3 when the edge misses the set-up time.
// period_o is the number of ticks between the last two strobes, up to 2^32 - 1.
module td_trigger (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        tick_i,
  input  logic        valid_i,  // only together with tick_i
  input  logic [47:0] index_i,  // number of the sample that comes with valid_i
  input  logic        trig_i,   // asynchronous
  output logic        edge_o,
  output logic [47:0] sample_o,
  output logic [31:0] ticks_o,
  output logic [15:0] count_o,
  output logic [31:0] period_o
);
  (* ASYNC_REG = "TRUE" *) logic [1:0] sync_q;
  logic former_q, rising, edge_q;
  logic [31:0] ticks_q, ticks_next;
  logic [47:0] last_q;

  assign rising     = sync_q[1] && !former_q;
  assign ticks_next = ticks_q == '1 ? ticks_q : ticks_q + 1'b1;
  assign edge_o     = edge_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sync_q   <= '0;
      former_q <= 1'b0;
      edge_q   <= 1'b0;
      ticks_q  <= '0;
      last_q   <= '0;
      sample_o <= '0;
      ticks_o  <= '0;
      count_o  <= '0;
      period_o <= '0;
    end else begin
      edge_q <= tick_i && rising;
      if (tick_i) begin
        sync_q   <= {sync_q[0], trig_i};
        former_q <= sync_q[1];
        ticks_q  <= valid_i ? '0 : ticks_next;
        if (valid_i) begin
          last_q   <= index_i;
          period_o <= ticks_next;
        end
        if (rising) begin
          sample_o <= last_q;
          ticks_o  <= ticks_next;
          count_o  <= count_o + 1'b1;
        end
      end
    end
  end
endmodule
