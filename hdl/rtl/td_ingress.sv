// Where the samples come from: source_i 0 parallel codes (pcm_*), 1 an ADS131M04 on SPI (td_spi_adc), 2
// four sigma-delta modulators (td_sd_clock, td_decimate). valid_o is high for one clock with the samples
// of the chosen source, channel c (U1, I1, U2, I2) in bits 24 c + 23 : 24 c. detect_o is the voltage U1 for the
// power-fail detector and fast_o tells that it is not that of samples_o: the sample behind the sinc,
// 1.2 ms younger, of source 2.
// flag_o is high for one clock each, of the chosen source only: 0 wrong CRC, 1 wrong answer to the
// set-up, 2 the ADC was reset, 3 conversions too fast, 4 no conversions; 5 bits too fast, 6 a filter limited
// its result, 7 to 10 channel 0 to 3 out of its modulator's range.
// Limits: those of the modules; the modulators are clocked only while they are the source; source_i is
// to be changed only while nothing is measured, samples of both sources may follow each other closely.
module td_ingress #(
  parameter int SpiHalfPeriod   = 4,
  parameter int SpiResetClocks  = 32768,
  parameter int SpiSilentClocks = 65536,
  parameter int BitHalfPeriod   = 6,
  parameter int Oversampling    = 256
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [1:0]  source_i,
  input  logic        pcm_valid_i,
  input  logic [95:0] pcm_i,
  input  logic        adc_drdy_ni,
  input  logic        adc_miso_i,
  output logic        adc_rst_no,
  output logic        adc_cs_no,
  output logic        adc_sclk_o,
  output logic        adc_mosi_o,
  output logic        sd_mclk_o,
  input  logic [3:0]  sd_data_i,
  output logic        valid_o,
  output logic [95:0] samples_o,
  output logic        fast_o,
  output logic [23:0] detect_o,
  output logic [10:0] flag_o
);
  localparam logic [1:0] Spi = 2'd1;
  localparam logic [1:0] SigmaDelta = 2'd2;

  logic spi_valid, crc_error, setup_error, adc_reset, late, silent;
  logic [95:0] spi_samples;

  td_spi_adc #(
    .HalfPeriod  (SpiHalfPeriod),
    .ResetClocks (SpiResetClocks),
    .SilentClocks(SpiSilentClocks)
  ) u_spi_adc (
    .clk_i,
    .rst_ni,
    .drdy_ni      (adc_drdy_ni),
    .miso_i       (adc_miso_i),
    .adc_rst_no,
    .cs_no        (adc_cs_no),
    .sclk_o       (adc_sclk_o),
    .mosi_o       (adc_mosi_o),
    .valid_o      (spi_valid),
    .samples_o    (spi_samples),
    .crc_error_o  (crc_error),
    .setup_error_o(setup_error),
    .adc_reset_o  (adc_reset),
    .late_o       (late),
    .silent_o     (silent)
  );

  logic bit_valid, ready, sd_valid, limited, sd_overrun;
  logic [3:0] bits, clipped;
  logic [95:0] sd_samples, sd_fast;

  td_sd_clock #(
    .HalfPeriod(BitHalfPeriod)
  ) u_sd_clock (
    .clk_i,
    .rst_ni,
    .enable_i   (source_i == SigmaDelta && ready),
    .mclk_o     (sd_mclk_o),
    .data_i     (sd_data_i),
    .bit_valid_o(bit_valid),
    .bits_o     (bits)
  );

  td_decimate #(
    .Oversampling(Oversampling)
  ) u_decimate (
    .clk_i,
    .rst_ni,
    .bit_valid_i(bit_valid),
    .bits_i     (bits),
    .ready_o    (ready),
    .valid_o    (sd_valid),
    .samples_o  (sd_samples),
    .fast_o     (sd_fast),
    .clipped_o  (clipped),
    .limited_o  (limited),
    .overrun_o  (sd_overrun)
  );

  logic unused;
  assign unused = &{1'b0, sd_fast[95:24]};  // the detector looks at U1

  always_comb begin
    valid_o   = pcm_valid_i;
    samples_o = pcm_i;
    fast_o    = 1'b0;
    detect_o  = pcm_i[23:0];
    flag_o    = '0;
    if (source_i == Spi) begin
      valid_o     = spi_valid;
      samples_o   = spi_samples;
      detect_o    = spi_samples[23:0];
      flag_o[4:0] = {silent, late, adc_reset, setup_error, crc_error};
    end else if (source_i == SigmaDelta) begin
      valid_o      = sd_valid;
      samples_o    = sd_samples;
      fast_o       = 1'b1;
      detect_o     = sd_fast[23:0];
      flag_o[10:5] = {clipped, limited, sd_overrun};
    end
  end
endmodule
