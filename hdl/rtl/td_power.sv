// Current, powers and energies, over the half cycles of td_half_cycle.
//   u, i  voltage and current behind td_dc_remove, 1/16 code        n: the newest sample
//   i i and u i   of sample n - 8, the one that is split at a boundary
//   reactive      i[n-36] (u[n-72] - u[n]) / 2, mean sin(36 w) x Q, w = 2 pi f / fs: exactly 90 degrees;
//                 divided by sin(36 w), which follows from the interpolated length of the cycle
// Products are rounded down by 2^16, so sums count 2^8 squared codes x sample. Windows are split at the
// boundary as the squares of the voltage are. What lies between the last fixed boundary of a loss and
// the first crossing after it belongs to no half cycle; its energy is added to the next.
//
// run_o moves with every sample; all else changes with publish_i of td_half_cycle, at fixed samples.
//   irms_o                RMS over one cycle, refreshed each half cycle, 1/16 code
//   p_o, q_o, s_o         over the same cycle, squared codes; q > 0: current lags; s = Urms Irms
//   energy_*_o            2^16 squared codes x sample, each half cycle added to the side of its sign
// Limits: 64 clocks a sample, boundaries >= 24 samples apart (the background takes < 600 clocks).
module td_power #(
  parameter int SampleWidth = 24,
  parameter int MinPeriod   = 114,  // cycles beyond are taken for this long in sin(36 w)
  parameter int MaxPeriod   = 188
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic signed [SampleWidth-1:0] voltage_i,     // ADC codes
  input  logic signed [SampleWidth-1:0] current_i,     // ADC codes
  input  logic                          step_i,        // from td_zero_cross, as the three below
  input  logic                          boundary_i,
  input  logic                          restart_i,
  input  logic        [15:0]            fraction_i,
  input  logic                          closed_i,      // from td_half_cycle, as the six below: a half cycle ended
  input  logic        [24:0]            half_length_i,    // its length, 1/65536 sample
  input  logic        [24:0]            former_length_i,  // of the one before
  input  logic                          pair_i,        // the two are neighbours
  input  logic                          publishing_i,  // one clock before publish_o
  input  logic                          whole_i,       // with it: the cycle's values count
  input  logic        [27:0]            urms_i,        // of the cycle that is about to be published
  output logic                          busy_o,
  output logic        [28:0]            irms_o,
  output logic signed [63:0]            p_o,
  output logic signed [63:0]            q_o,
  output logic        [63:0]            s_o,
  output logic        [63:0]            energy_forward_o,
  output logic        [63:0]            energy_reverse_o,
  output logic        [63:0]            energy_lagging_o,
  output logic        [63:0]            energy_leading_o,
  output logic signed [63:0]            run_o
);
  localparam int WordWidth = SampleWidth + 5;   // 1/16 code behind the DC removal
  localparam int PartWidth = 2 * WordWidth - 15;
  localparam int SumWidth  = 54;                // two half cycles of at most 255 samples
  localparam int LengthWidth = 25;

  // ---- DC removal and delay lines ----------------------------------------------------------------
  logic signed [WordWidth-1:0] u_new, i_new, u_now_q;
  logic signed [WordWidth-1:0] u_line_q [128];
  logic signed [WordWidth-1:0] i_line_q [64];
  logic        [6:0]           place_q;  // of the newest sample
  logic        [12:0]          count_q;  // samples so far, up to 4096
  logic signed [WordWidth-1:0] u8, i8, i36, u72;

  td_dc_remove #(
    .SampleWidth(SampleWidth)
  ) u_voltage (
    .clk_i,
    .rst_ni,
    .valid_i,
    .settled_i(count_q[12]),
    .x_i      (voltage_i),
    .y_o      (u_new)
  );

  td_dc_remove #(
    .SampleWidth(SampleWidth)
  ) u_current (
    .clk_i,
    .rst_ni,
    .valid_i,
    .settled_i(count_q[12]),
    .x_i      (current_i),
    .y_o      (i_new)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      place_q <= '0;
      count_q <= '0;
      u_now_q <= '0;
    end else if (valid_i) begin
      place_q <= place_q + 1'b1;
      u_now_q <= u_new;
      if (!count_q[12]) count_q <= count_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      u_line_q[place_q + 7'd1]            <= u_new;
      i_line_q[6'(place_q + 7'd1)]        <= i_new;
    end
  end

  // The lines are memories without reset: what was not written yet counts as 0.
  assign u8  = count_q > 13'd8  ? u_line_q[place_q - 7'd8] : '0;
  assign i8  = count_q > 13'd8  ? i_line_q[6'(place_q - 7'd8)] : '0;
  assign i36 = count_q > 13'd36 ? i_line_q[6'(place_q - 7'd36)] : '0;
  assign u72 = count_q > 13'd72 ? u_line_q[place_q - 7'd72] : '0;

  // ---- products, one a clock after step_i; at a boundary their parts by the same multiplier -----------
  logic        [8:1]                      seq_q;  // one-hot
  logic                                   boundary_q, restart_q;
  logic        [15:0]                     fraction_q;
  logic signed [PartWidth-1:0]            factor_a;
  logic signed [WordWidth:0]              factor_b;
  logic signed [PartWidth+WordWidth:0]    product_q;
  logic signed [PartWidth-1:0]            ii_q, p_q, q_q;  // 2^8 squared codes
  logic signed [PartWidth-1:0]            ii_part_q, p_part_q;
  logic signed [PartWidth-1:0]            part;

  assign part = PartWidth'((product_q + (PartWidth+WordWidth+1)'(32768)) >>> 16);

  always_comb begin
    factor_a = PartWidth'(i8);
    factor_b = (WordWidth+1)'(i8);
    if (seq_q[1]) begin
      factor_b = (WordWidth+1)'(u8);
    end else if (seq_q[2]) begin
      factor_a = PartWidth'(i36);
      factor_b = (WordWidth+1)'(u72) - (WordWidth+1)'(u_now_q);
    end else if (seq_q[4:3] != '0 || seq_q[5]) begin
      factor_a = seq_q[3] ? ii_q : (seq_q[4] ? p_q : q_q);
      factor_b = (WordWidth+1)'({1'b0, fraction_q});
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      seq_q      <= '0;
      boundary_q <= 1'b0;
      restart_q  <= 1'b0;
      fraction_q <= '0;
      product_q  <= '0;
      ii_q       <= '0;
      p_q        <= '0;
      q_q        <= '0;
      ii_part_q  <= '0;
      p_part_q   <= '0;
    end else begin
      seq_q <= {seq_q[7:1], step_i};
      if (step_i || seq_q != '0) product_q <= factor_a * factor_b;
      if (step_i) begin
        boundary_q <= boundary_i;
        restart_q  <= restart_i;
        fraction_q <= fraction_i;
      end
      if (seq_q[1]) ii_q <= PartWidth'(product_q >>> 16);
      if (seq_q[2]) p_q <= PartWidth'(product_q >>> 16);
      if (seq_q[3]) q_q <= PartWidth'(product_q >>> 17);
      if (seq_q[4]) ii_part_q <= part;
      if (seq_q[5]) p_part_q <= part;
    end
  end

  assign busy_o = seq_q != '0;

  // ---- sums between boundaries ------------------------------------------------------------------
  logic                       split;
  logic signed [SumWidth-1:0] ii_run_q, p_run_q, q_run_q;           // since the last boundary
  logic signed [SumWidth-1:0] ii_closing, p_closing, q_closing;
  logic signed [SumWidth-1:0] ii_half_q, p_half_q, q_half_q;        // closed half cycle
  logic signed [SumWidth-1:0] ii_former_q, p_former_q;              // the one before
  logic signed [SumWidth-1:0] p_more_q, q_more_q, p_extra_q, q_extra_q;  // energy that belongs to no half cycle
  logic signed [63:0]         energy_run_q;

  assign split      = seq_q[6] && boundary_q;  // product_q holds the reactive part
  assign ii_closing = ii_run_q + SumWidth'(ii_part_q);
  assign p_closing  = p_run_q + SumWidth'(p_part_q);
  assign q_closing  = q_run_q + SumWidth'(part);
  assign run_o      = energy_run_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ii_run_q     <= '0;
      p_run_q      <= '0;
      q_run_q      <= '0;
      ii_half_q    <= '0;
      p_half_q     <= '0;
      q_half_q     <= '0;
      ii_former_q  <= '0;
      p_former_q   <= '0;
      p_more_q     <= '0;
      q_more_q     <= '0;
      p_extra_q    <= '0;
      q_extra_q    <= '0;
      energy_run_q <= '0;
    end else if (seq_q[6]) begin
      energy_run_q <= energy_run_q + 64'(p_q);
      ii_run_q     <= split ? SumWidth'(ii_q) - SumWidth'(ii_part_q) : ii_run_q + SumWidth'(ii_q);
      p_run_q      <= split ? SumWidth'(p_q) - SumWidth'(p_part_q) : p_run_q + SumWidth'(p_q);
      q_run_q      <= split ? SumWidth'(q_q) - SumWidth'(part) : q_run_q + SumWidth'(q_q);
      if (split && restart_q) begin
        p_more_q <= p_more_q + p_closing;
        q_more_q <= q_more_q + q_closing;
      end else if (split) begin
        ii_half_q   <= ii_closing;
        p_half_q    <= p_closing;
        q_half_q    <= q_closing;
        ii_former_q <= ii_half_q;
        p_former_q  <= p_half_q;
        p_extra_q   <= p_more_q;
        q_extra_q   <= q_more_q;
        p_more_q    <= '0;
        q_more_q    <= '0;
      end
    end
  end

  // ---- background: 1 / sin(36 w), reactive sum, energies, then RMS and means of the cycle -------------
  // x = 36 w - pi/2 = (pi/2) r with r = (144 - T) / T; 1 / cos x = 1 + c1 r^2 + c2 r^4 + c3 r^6, 2^-20 each
  localparam logic [20:0] C1 = 21'd1293629;  // (pi/2)^2 / 2
  localparam logic [20:0] C2 = 21'd1329959;  // 5 (pi/2)^4 / 24
  localparam logic [20:0] C3 = 21'd1334494;  // 61 (pi/2)^6 / 720
  localparam logic [20:0] One = 21'd1048576;
  localparam int QuotWidth = 58;
  localparam int RootWidth = 29;

  typedef enum logic [3:0] {
    Rest, Ratio, Square, Third, Second, First, Correct, MeanSquare, MeanActive, MeanReactive, Apparent
  } job_e;
  job_e                       job_q;
  logic                       begin_q;
  logic                       divided, rooted, multiplied;
  logic [LengthWidth-1:0]     length, cycle_q, divisor;
  logic [LengthWidth:0]       both;
  logic [LengthWidth-1:0]     off;        // |144 - T|
  logic [SumWidth+31:0]       numerator;
  logic [QuotWidth-1:0]       quotient;
  logic [RootWidth-1:0]       root, irms_q;
  logic [SumWidth-1:0]        a;
  logic [RootWidth-1:0]       b;
  logic [SumWidth+RootWidth-1:0] multiplied_value;
  logic [20:0]                series_q, square_q, scaled;
  logic signed [SumWidth-1:0] q_fixed, q_true_q;                // reactive sum of the half cycle over sin(36 w)
  logic signed [SumWidth-1:0] q_former_q, ii_cycle, p_cycle, q_cycle;
  logic signed [SumWidth-1:0] p_energy, q_energy;
  logic signed [63:0]         p_mean_q, q_mean_q;
  logic        [63:0]         s_q;
  logic        [71:0]         forward_q, reverse_q, lagging_q, leading_q;

  function automatic logic [SumWidth-1:0] size(input logic signed [SumWidth-1:0] value);
    size = value[SumWidth-1] ? -value : value;
  endfunction

  function automatic logic signed [63:0] signed_mean(input logic negative, input logic [QuotWidth-1:0] value);
    signed_mean = negative ? -(64'(value)) : 64'(value);
  endfunction

  assign both     = {1'b0, half_length_i} + {1'b0, pair_i ? former_length_i : half_length_i};
  assign length   = both < (LengthWidth+1)'(MinPeriod << 16) ? LengthWidth'(MinPeriod << 16)
                  : (both > (LengthWidth+1)'(MaxPeriod << 16) ? LengthWidth'(MaxPeriod << 16) : both[LengthWidth-1:0]);
  assign off      = cycle_q > LengthWidth'(144 << 16) ? cycle_q - LengthWidth'(144 << 16) : LengthWidth'(144 << 16) - cycle_q;
  assign ii_cycle = ii_half_q + ii_former_q;
  assign p_cycle  = p_half_q + p_former_q;
  assign q_cycle  = q_true_q + q_former_q;

  always_comb begin
    divisor   = LengthWidth'(both);
    numerator = '0;
    unique case (job_q)
      Ratio: begin
        divisor   = cycle_q;
        numerator = (SumWidth+32)'(off) << 20;
      end
      MeanSquare:   numerator = {ii_cycle, 32'd0};
      MeanActive:   numerator = {8'd0, size(p_cycle), 24'd0};
      MeanReactive: numerator = {8'd0, size(q_cycle), 24'd0};
      default: ;
    endcase
    a = SumWidth'(square_q);
    b = RootWidth'(series_q);
    unique case (job_q)
      Square: begin
        a = SumWidth'(quotient[20:0]);
        b = RootWidth'(quotient[20:0]);
      end
      Correct: a = size(q_half_q);
      Apparent: begin
        a = SumWidth'(urms_i);
        b = irms_q;
      end
      default: ;
    endcase
  end

  td_divide #(
    .DivWidth (LengthWidth),
    .QuotWidth(QuotWidth)
  ) u_divide (
    .clk_i,
    .rst_ni,
    .start_i   (begin_q && (job_q == Ratio || job_q == MeanSquare || job_q == MeanActive || job_q == MeanReactive)),
    .high_i    (LengthWidth'(numerator >> QuotWidth)),
    .low_i     (numerator[QuotWidth-1:0]),
    .divisor_i (divisor),
    .done_o    (divided),
    .quotient_o(quotient)
  );

  td_sqrt #(
    .RootWidth(RootWidth)
  ) u_root (
    .clk_i,
    .rst_ni,
    .start_i   (divided && job_q == MeanSquare),
    .radicand_i(quotient),
    .done_o    (rooted),
    .root_o    (root)
  );

  td_multiply #(
    .AWidth(SumWidth),
    .BWidth(RootWidth)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .start_i  (begin_q && (job_q == Square || job_q == Third || job_q == Second || job_q == First
                           || job_q == Correct || job_q == Apparent)),
    .a_i      (a),
    .b_i      (b),
    .done_o   (multiplied),
    .product_o(multiplied_value)
  );

  assign scaled   = multiplied_value[40:20];
  assign q_fixed  = q_half_q[SumWidth-1] ? -(SumWidth'(multiplied_value >> 20)) : SumWidth'(multiplied_value >> 20);
  assign p_energy = p_half_q + p_extra_q;
  assign q_energy = q_fixed + q_extra_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      job_q      <= Rest;
      begin_q    <= 1'b0;
      cycle_q    <= '0;
      square_q   <= '0;
      series_q   <= '0;
      q_true_q   <= '0;
      q_former_q <= '0;
      irms_q     <= '0;
      p_mean_q   <= '0;
      q_mean_q   <= '0;
      s_q        <= '0;
      forward_q  <= '0;
      reverse_q  <= '0;
      lagging_q  <= '0;
      leading_q  <= '0;
    end else begin
      begin_q <= closed_i || multiplied || rooted || (divided && job_q != MeanSquare);
      if (closed_i) begin
        job_q    <= Ratio;
        cycle_q  <= length;
        series_q <= C3;
      end else if (divided) begin
        unique case (job_q)
          Ratio:      job_q <= Square;
          MeanActive: begin
            job_q    <= MeanReactive;
            p_mean_q <= signed_mean(p_cycle[SumWidth-1], quotient);
          end
          MeanReactive: begin
            job_q    <= Apparent;
            q_mean_q <= signed_mean(q_cycle[SumWidth-1], quotient);
          end
          default: ;
        endcase
      end else if (rooted) begin
        job_q  <= MeanActive;
        irms_q <= root;
      end else if (multiplied) begin
        unique case (job_q)
          Square: begin
            job_q    <= Third;
            square_q <= scaled;
          end
          Third: begin
            job_q    <= Second;
            series_q <= C2 + scaled;
          end
          Second: begin
            job_q    <= First;
            series_q <= C1 + scaled;
          end
          First: begin
            job_q    <= Correct;
            series_q <= One + scaled;
          end
          Correct: begin
            job_q      <= MeanSquare;
            q_true_q   <= q_fixed;
            q_former_q <= q_true_q;
            if (p_energy[SumWidth-1]) reverse_q <= reverse_q + 72'(size(p_energy));
            else                      forward_q <= forward_q + 72'(size(p_energy));
            if (q_energy[SumWidth-1]) leading_q <= leading_q + 72'(size(q_energy));
            else                      lagging_q <= lagging_q + 72'(size(q_energy));
          end
          Apparent: begin
            job_q <= Rest;
            s_q   <= 64'(multiplied_value >> 8);
          end
          default: ;
        endcase
      end
    end
  end

  // ---- publication --------------------------------------------------------------------------------
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      irms_o           <= '0;
      p_o              <= '0;
      q_o              <= '0;
      s_o              <= '0;
      energy_forward_o <= '0;
      energy_reverse_o <= '0;
      energy_lagging_o <= '0;
      energy_leading_o <= '0;
    end else if (publishing_i) begin
      energy_forward_o <= forward_q[71:8];
      energy_reverse_o <= reverse_q[71:8];
      energy_lagging_o <= lagging_q[71:8];
      energy_leading_o <= leading_q[71:8];
      if (whole_i) begin
        irms_o <= irms_q;
        p_o    <= p_mean_q;
        q_o    <= q_mean_q;
        s_o    <= s_q;
      end
    end
  end
endmodule
