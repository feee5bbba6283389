// Four sigma-delta bit streams to samples: td_sinc3 to 32 kS/s (Oversampling bits a sample), td_half_band to
// 8 kS/s. valid_o is high for one clock when a sample of each channel is there; fast_o are then the
// newest samples straight behind the sinc, 1.2 ms younger, for the power-fail detector. Both hold
// until the next valid_o. Channel c is in bits 24 c + 23 : 24 c; +-2^23 is a stream of all ones or zeros.
// valid_o comes 96 clocks after the last bit of every fourth group. clipped_o and limited_o are high
// for one clock: a channel is out of its modulator's range; a filter limited its result.
// For 256 clocks after reset bits are ignored and ready_o is low.
// Limits: at least 100 clocks in a group of Oversampling bits, else overrun_o rises for one clock and
// the samples are not to be trusted.
module td_decimate #(
  parameter int Oversampling = 256
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        bit_valid_i,
  input  logic [3:0]  bits_i,
  output logic        ready_o,
  output logic        valid_o,
  output logic [95:0] samples_o,
  output logic [95:0] fast_o,
  output logic [3:0]  clipped_o,
  output logic        limited_o,
  output logic        overrun_o
);
  logic fast_valid, slow_valid, clipped, busy, valid_q;
  logic [1:0] fast_channel, slow_channel;
  logic signed [23:0] fast_sample, slow_sample;
  logic [95:0] fast_q, newest_q, samples_q;

  td_sinc3 #(
    .Channels    (4),
    .Oversampling(Oversampling)
  ) u_sinc3 (
    .clk_i,
    .rst_ni,
    .bit_valid_i(bit_valid_i && ready_o),
    .bits_i,
    .valid_o    (fast_valid),
    .channel_o  (fast_channel),
    .sample_o   (fast_sample),
    .clipped_o  (clipped)
  );

  td_half_band u_half_band (
    .clk_i,
    .rst_ni,
    .ready_o,
    .busy_o   (busy),
    .valid_i  (fast_valid),
    .channel_i(fast_channel),
    .sample_i (fast_sample),
    .valid_o  (slow_valid),
    .channel_o(slow_channel),
    .sample_o (slow_sample),
    .limited_o
  );

  for (genvar c = 0; c < 4; c++) begin : g_channels
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        newest_q[24*c+:24]  <= '0;
        samples_q[24*c+:24] <= '0;
      end else begin
        if (fast_valid && fast_channel == 2'(c)) newest_q[24*c+:24] <= fast_sample;
        if (slow_valid && slow_channel == 2'(c)) samples_q[24*c+:24] <= slow_sample;
      end
    end

    assign clipped_o[c] = fast_valid && clipped && fast_channel == 2'(c);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      fast_q  <= '0;
    end else begin
      valid_q <= slow_valid && slow_channel == 2'd3;
      if (slow_valid && slow_channel == 2'd3) fast_q <= newest_q;
    end
  end

  assign valid_o   = valid_q;
  assign samples_o = samples_q;
  assign fast_o    = fast_q;
  assign overrun_o = fast_valid && busy;
endmodule
