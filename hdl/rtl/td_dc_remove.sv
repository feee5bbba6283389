// DC removal of one channel: one pole of 2^-12 a sample (0.31 Hz at 8 kS/s).
//   y = 16 x - dc         accumulator += y         dc = accumulator / 2^12
//   out = y - y / 2^13 + y / 2^16, which takes off the pole's gain of 1 + 1.03e-4 at 45 to 65 Hz
// For the first 4096 samples after reset nothing is taken off; their mean then becomes the start value,
// so that an offset is gone after half a second.
// Latency: combinational; y_o belongs to x_i while valid_i is high, which also moves the filter on.
module td_dc_remove #(
  parameter int SampleWidth = 24
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic                          settled_i,  // 4096 samples have gone by
  input  logic signed [SampleWidth-1:0] x_i,        // ADC codes
  output logic signed [SampleWidth+4:0] y_o         // 1/16 ADC code
);
  localparam int WideWidth = SampleWidth + 5;
  localparam int AccWidth  = WideWidth + 12;

  logic signed [AccWidth-1:0]  acc_q;
  logic signed [WideWidth-1:0] wide, dc, y;

  assign wide = {x_i[SampleWidth-1], x_i, 4'd0};
  assign dc   = settled_i ? acc_q[AccWidth-1-:WideWidth] : '0;
  assign y    = wide - dc;
  assign y_o  = settled_i ? y - (y >>> 13) + (y >>> 16) : y;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) acc_q <= '0;
    else if (valid_i) acc_q <= acc_q + AccWidth'(y);
  end
endmodule
