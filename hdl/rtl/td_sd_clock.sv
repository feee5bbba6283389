// Clock of sigma-delta modulators and one strobe a bit. mclk_o has a period of 2 HalfPeriod clocks of
// clk_i while enable_i is high and rests low otherwise. A modulator of the AMC1306 kind changes its
// data within 15 ns of the rising edge, so they are taken at the falling one: two clocks later, behind
// the synchroniser, bit_valid_o is high for one clock with bits_o.
// Limits: HalfPeriod at least 3; at 98.304 MHz 6 makes 8.192 MHz.
module td_sd_clock #(
  parameter int HalfPeriod = 6
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       enable_i,
  output logic       mclk_o,
  input  logic [3:0] data_i,  // asynchronous
  output logic       bit_valid_o,
  output logic [3:0] bits_o
);
  localparam int Width = $clog2(HalfPeriod);

  logic [Width-1:0] count_q;
  logic mclk_q, half_ends;
  logic [1:0] take_q;
  (* ASYNC_REG = "TRUE" *) logic [3:0] first_q, second_q;

  assign half_ends = count_q == Width'(HalfPeriod - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q  <= '0;
      mclk_q   <= 1'b0;
      take_q   <= '0;
      first_q  <= '0;
      second_q <= '0;
    end else begin
      first_q  <= data_i;
      second_q <= first_q;
      take_q   <= {take_q[0], half_ends && mclk_q};
      if (!enable_i && !mclk_q) begin
        count_q <= '0;
      end else begin
        count_q <= half_ends ? '0 : count_q + 1'b1;
        mclk_q  <= mclk_q ^ half_ends;
      end
    end
  end

  assign mclk_o      = mclk_q;
  assign bit_valid_o = take_q[1];
  assign bits_o      = second_q;
endmodule
