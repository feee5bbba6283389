// First in, first out for events. The oldest entry is on data_o while waiting_o > 0, else 0; pop_i drops
// it. A push_i into a full FIFO is lost and raises lost_o for that clock, also when pop_i is high
// in the same clock.
// Latency: 2 clocks from push_i or pop_i to waiting_o and data_o: entries lie in a block memory. Depth is a power of two.
module td_event_fifo #(
  parameter int Width = 80,
  parameter int Depth = 16
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     push_i,
  input  logic [Width-1:0]         data_i,
  input  logic                     pop_i,
  output logic [Width-1:0]         data_o,
  output logic [$clog2(Depth):0]   waiting_o,
  output logic                     lost_o
);
  localparam int PlaceWidth = $clog2(Depth);

  (* ram_style = "block" *) logic [Width-1:0] store_q[Depth];
  logic [PlaceWidth:0] in_q, out_q, fill;  // one bit more than a place: their difference is the fill
  logic take;

  assign fill   = in_q - out_q;
  assign lost_o = push_i && fill[PlaceWidth];
  assign take   = push_i && !fill[PlaceWidth];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_q      <= '0;
      out_q     <= '0;
      waiting_o <= '0;
    end else begin
      waiting_o <= fill;
      if (take) in_q <= in_q + 1'b1;
      if (pop_i && fill != '0) out_q <= out_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) store_q[in_q[PlaceWidth-1:0]] <= data_i;
    if (!rst_ni || fill == '0) data_o <= '0;
    else data_o <= store_q[out_q[PlaceWidth-1:0]];
  end

`ifdef FORMAL
  `include "td_event_fifo.svh"
`endif
endmodule
