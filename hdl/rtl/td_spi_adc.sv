// Reader of an ADS131M04: sets it to 8 kS/s, then takes a frame at every falling edge of DRDY.
// A frame is six words of 24 bits, most significant bit first (TI SBASA13A, 8.5.1): out a command, in
// status, channels 0 to 3 and a CRC-CCITT (seed FFFFh) over the five words before it. SPI mode 1: both
// sides change data at the rising edge of SCLK and take it at the falling one. SCLK is clk_i / (2 HalfPeriod).
//
// After reset adc_rst_no is low for ResetClocks (2048 periods of the ADC's clock are needed); the first
// frame writes MODE and CLOCK, the second must bring the answer to that, else both are sent again.
// From then on valid_o is high for one clock after each frame with the samples of the four channels,
// channel c in bits 24 c + 23 : 24 c. A frame with a wrong CRC brings the samples of the one before
// it once more, so that the count of samples goes on, and raises crc_error_o with valid_o.
// For one clock each: setup_error_o: the answer to the set-up was wrong; adc_reset_o: the ADC says it
// was reset since and is set up again (no samples meanwhile); late_o: DRDY is low at the end of
// a frame, a conversion came too soon;
// silent_o: no DRDY for SilentClocks.
// Limits: HalfPeriod at least 2; a frame takes 289 HalfPeriod + 4 clocks.
module td_spi_adc #(
  parameter int HalfPeriod   = 4,
  parameter int ResetClocks  = 32768,
  parameter int SilentClocks = 65536
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        drdy_ni,  // asynchronous, as miso_i
  input  logic        miso_i,
  output logic        adc_rst_no,
  output logic        cs_no,
  output logic        sclk_o,
  output logic        mosi_o,
  output logic        valid_o,
  output logic [95:0] samples_o,
  output logic        crc_error_o,
  output logic        setup_error_o,
  output logic        adc_reset_o,
  output logic        late_o,
  output logic        silent_o
);
  localparam int HalfWidth = $clog2(HalfPeriod);
  localparam int WaitWidth = $clog2((ResetClocks > SilentClocks ? ResetClocks : SilentClocks) + 1);
  localparam int BitsInAll = 144;
  localparam int BitsOfCrc = 136;  // up to the last bit of the CRC itself

  // WREG of two registers from address 2: MODE with the reset flag cleared, 24-bit words and the
  // time-out on; CLOCK with all channels, oversampling 512 of 4.096 MHz, high resolution.
  localparam logic [71:0] Setup = {16'h6101, 8'd0, 16'h0110, 8'd0, 16'h0F0A, 8'd0};
  localparam logic [15:0] Answer = 16'h4101;  // two registers from address 2 were written

  // ---- lines of the ADC into this clock -----------------------------------------------------------
  (* ASYNC_REG = "TRUE" *) logic [1:0] drdy_q, miso_q;
  logic drdy_former_q, fell;

  assign fell = drdy_former_q && !drdy_q[1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      drdy_q        <= '1;
      drdy_former_q <= 1'b1;
      miso_q        <= '0;
    end else begin
      drdy_q        <= {drdy_q[0], drdy_ni};
      drdy_former_q <= drdy_q[1];
      miso_q        <= {miso_q[0], miso_i};
    end
  end

  // ---- reset of the ADC, frames, silence ------------------------------------------------------------
  typedef enum logic [1:0] {
    Reset,
    Wait,
    Shift,
    Check
  } phase_e;
  typedef enum logic [1:0] {
    Write,
    Confirm,
    Stream
  } task_e;

  phase_e                phase_q;
  task_e                 task_q;
  logic [WaitWidth-1:0]  wait_q;
  logic [HalfWidth-1:0]  half_q;
  logic [7:0]            bit_q;        // bits whose falling edge has been
  logic sclk_q, half_ends, falling, silent;
  logic [1:0]            take_q;       // the bit of a falling edge is behind the synchroniser two clocks later
  logic [71:0]           out_q;

  assign half_ends = half_q == HalfWidth'(HalfPeriod - 1);
  assign falling   = phase_q == Shift && half_ends && sclk_q;
  assign silent    = wait_q == WaitWidth'(SilentClocks);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q  <= Reset;
      wait_q   <= '0;
      half_q   <= '0;
      bit_q    <= '0;
      sclk_q   <= 1'b0;
      take_q   <= '0;
      out_q    <= '0;
      late_o   <= 1'b0;
      silent_o <= 1'b0;
    end else begin
      take_q   <= {take_q[0], falling};
      late_o   <= phase_q == Check && half_ends && !drdy_q[1];
      silent_o <= phase_q == Wait && silent;
      case (phase_q)
        Reset: begin
          wait_q <= wait_q + 1'b1;
          if (wait_q == WaitWidth'(ResetClocks - 1)) begin
            phase_q <= Wait;
            wait_q  <= '0;
          end
        end
        Wait: begin
          wait_q <= silent ? '0 : wait_q + 1'b1;
          half_q <= '0;
          bit_q  <= '0;
          out_q  <= task_q == Write ? Setup : '0;
          if (fell) begin
            phase_q <= Shift;
            wait_q  <= '0;
          end
        end
        Shift: begin
          half_q <= half_ends ? '0 : half_q + 1'b1;
          if (half_ends) begin
            sclk_q <= !sclk_q;
            if (sclk_q) begin
              bit_q <= bit_q + 1'b1;
              if (bit_q == 8'(BitsInAll - 1)) phase_q <= Check;
            end else if (bit_q != '0) begin
              out_q <= out_q << 1;
            end
          end
        end
        default: begin  // CS stays low for a half period while the last bit comes in
          half_q <= half_q + 1'b1;
          if (half_ends) phase_q <= Wait;
        end
      endcase
    end
  end

  assign adc_rst_no = phase_q != Reset;
  assign cs_no      = phase_q != Shift && phase_q != Check;
  assign sclk_o     = sclk_q;
  assign mosi_o     = phase_q == Shift && out_q[71];

  // ---- what comes in ------------------------------------------------------------------------------
  logic [22:0] in_q;
  logic [23:0] word;
  logic [7:0]  got_q;       // bits of this frame
  logic [4:0]  place_q;     // of the bit in its word
  logic [2:0]  word_q;
  logic [15:0] crc_q, crc_next, status_q;
  logic [95:0] fresh_q;
  logic take, whole_q, good_q;

  assign take     = take_q[1];
  assign word     = {in_q, miso_q[1]};
  assign crc_next = (crc_q << 1) ^ (crc_q[15] != miso_q[1] ? 16'h1021 : 16'h0000);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || phase_q == Wait) begin
      in_q    <= '0;
      got_q   <= '0;
      place_q <= '0;
      word_q  <= '0;
      crc_q   <= '1;
      good_q  <= 1'b0;
      whole_q <= 1'b0;
    end else begin
      whole_q <= take && got_q == 8'(BitsInAll - 1);
      if (take) begin
        in_q    <= word[22:0];
        got_q   <= got_q + 1'b1;
        crc_q   <= crc_next;
        place_q <= place_q == 5'd23 ? '0 : place_q + 1'b1;
        if (got_q == 8'(BitsOfCrc - 1)) good_q <= crc_next == '0;
        if (place_q == 5'd23) word_q <= word_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      status_q <= '0;
      fresh_q  <= '0;
    end else if (take && place_q == 5'd23) begin
      if (word_q == '0) status_q <= word[23:8];
      for (int c = 0; c < 4; c++) begin
        if (word_q == 3'(c + 1)) fresh_q[24*c+:24] <= word;
      end
    end
  end

  // ---- what a whole frame means -------------------------------------------------------------------
  logic was_reset;

  assign was_reset = good_q && status_q[10];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      task_q        <= Write;
      valid_o       <= 1'b0;
      samples_o     <= '0;
      crc_error_o   <= 1'b0;
      setup_error_o <= 1'b0;
      adc_reset_o   <= 1'b0;
    end else begin
      valid_o       <= 1'b0;
      crc_error_o   <= 1'b0;
      setup_error_o <= 1'b0;
      adc_reset_o   <= 1'b0;
      if (whole_q) begin
        case (task_q)
          Write: task_q <= Confirm;
          Confirm: begin
            task_q        <= good_q && status_q == Answer ? Stream : Write;
            setup_error_o <= !good_q || status_q != Answer;
          end
          default: begin
            if (was_reset) begin
              task_q      <= Write;
              adc_reset_o <= 1'b1;
            end else begin
              valid_o     <= 1'b1;
              crc_error_o <= !good_q;
              if (good_q) samples_o <= fresh_q;
            end
          end
        endcase
      end
    end
  end
endmodule
