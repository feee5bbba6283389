// Third-order sinc decimator of sigma-delta bit streams, one sample in Oversampling bits.
//   sample = sum of h[j] x[n - 2 - j] 2^23 / R^3,  h = box(R) * box(R) * box(R),  x = +1 or -1,
// R = Oversampling, n the last bit of each group of R after reset, rounded half up, limited at
// +2^23 - 1. The integrators run with every bit, the differences share one subtractor: after the
// last bit of a group valid_o is high for one clock for each channel in turn, channel 0 first, 6
// clocks after that bit and then every 3. Before reset every bit counts as neither 1 nor -1.
// clipped_o comes with valid_o: the sample is beyond 31/32 of full scale, where a modulator of the
// AMC1306 kind has left its range; at full scale it still makes one opposite bit in 128.
// Limits: Oversampling is a power of two, 8 to 1024; at least 3 Channels + 3 clocks a group.
module td_sinc3 #(
  parameter int Channels     = 4,
  parameter int Oversampling = 256
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        bit_valid_i,
  input  logic [Channels-1:0]         bits_i,
  output logic                        valid_o,
  output logic [$clog2(Channels)-1:0] channel_o,
  output logic signed [23:0]          sample_o,  // 2^23 is all ones
  output logic                        clipped_o
);
  localparam int Log2R = $clog2(Oversampling);
  localparam int SumWidth = 3 * Log2R + 2;  // +-R^3
  localparam int ChannelWidth = $clog2(Channels);
  localparam int Last = Channels - 1;

  // ---- integrators, every bit -------------------------------------------------------------------
  logic [Channels*SumWidth-1:0] third, held_q;
  logic [Log2R-1:0] bit_q;  // bits of the group so far
  logic group_end, start_q;

  assign group_end = bit_valid_i && bit_q == '1;

  for (genvar c = 0; c < Channels; c++) begin : g_integrators
    logic signed [SumWidth-1:0] first_q, second_q, third_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        first_q  <= '0;
        second_q <= '0;
        third_q  <= '0;
      end else if (bit_valid_i) begin
        first_q  <= bits_i[c] ? first_q + SumWidth'(1) : first_q - SumWidth'(1);
        second_q <= second_q + first_q;
        third_q  <= third_q + second_q;
      end
    end

    assign third[c*SumWidth+:SumWidth] = third_q;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      bit_q   <= '0;
      start_q <= 1'b0;
      held_q  <= '0;
    end else begin
      start_q <= group_end;
      if (bit_valid_i) bit_q <= bit_q + 1'b1;
      if (start_q) held_q <= third;
    end
  end

  // ---- differences: 3 a channel, one a clock ----------------------------------------------------
  logic run_q, valid_q, primed_q;  // primed: there was a group before this one
  logic [1:0] stage_q;
  logic [ChannelWidth-1:0] channel_q, done_q;
  logic signed [SumWidth-1:0] before_q[4*Channels];
  logic signed [SumWidth-1:0] value_q, operand, earlier;

  assign operand = stage_q == '0 ? held_q[channel_q*SumWidth+:SumWidth] : value_q;
  assign earlier = primed_q ? before_q[{channel_q, stage_q}] : '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q     <= 1'b0;
      valid_q   <= 1'b0;
      primed_q  <= 1'b0;
      stage_q   <= '0;
      channel_q <= '0;
      done_q    <= '0;
      value_q   <= '0;
    end else begin
      valid_q <= run_q && stage_q == 2'd2;
      if (start_q) begin
        run_q     <= 1'b1;
        stage_q   <= '0;
        channel_q <= '0;
      end else if (run_q) begin
        value_q <= operand - earlier;
        stage_q <= stage_q + 1'b1;
        if (stage_q == 2'd2) begin
          stage_q   <= '0;
          done_q    <= channel_q;
          channel_q <= channel_q + 1'b1;
          if (channel_q == ChannelWidth'(Last)) begin
            run_q    <= 1'b0;
            primed_q <= 1'b1;
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (run_q) before_q[{channel_q, stage_q}] <= operand;
  end

  // ---- to 24 bits -------------------------------------------------------------------------------
  localparam int Shift = 3 * Log2R - 23;
  localparam int WideWidth = SumWidth > 27 ? SumWidth + 1 : 28;  // one more than the result needs
  logic signed [WideWidth-1:0] wide;

  if (Shift > 0) begin : g_narrow
    assign wide = (WideWidth'(value_q) + (WideWidth'(1) << (Shift - 1))) >>> Shift;
  end else begin : g_widen
    assign wide = WideWidth'(value_q) <<< (-Shift);
  end

  localparam logic signed [WideWidth-1:0] Top = WideWidth'(24'h7FFFFF);
  localparam logic signed [WideWidth-1:0] Clip = WideWidth'(24'h7C0000);

  assign sample_o  = wide > Top ? 24'sh7FFFFF : wide[23:0];
  assign clipped_o = wide > Clip || wide < -Clip;
  assign valid_o   = valid_q;
  assign channel_o = done_q;
endmodule
