// From 32 kS/s to 8 kS/s for four channels, with one multiplier: a 5-tap filter that makes good the
// droop of the third-order sinc, a half-band filter of 15 taps and one of 31 taps, each decimating
// by two. Coefficients have 17 (the first) or 18 fraction bits; every filter rounds half up to 24 bits
// and limits. Their response is in docs/front-end.md.
//
// A sample of each channel comes with valid_i, channel 0 first, channel 3 last; the last one starts the
// work. Of every four such groups after reset the last makes a sample of each channel: valid_o is
// high for one clock each, channel 0 first, the last one 77 clocks after its valid_i.
// ready_o is low for 256 clocks after reset, while the memory is cleared; samples then are ignored.
// limited_o is high for one clock when a filter limited its result.
// Limits: 82 clocks from the last valid_i to the next group's first.
module td_half_band (
  input  logic               clk_i,
  input  logic               rst_ni,
  output logic               ready_o,
  output logic               busy_o,
  input  logic               valid_i,
  input  logic [1:0]         channel_i,
  input  logic signed [23:0] sample_i,
  output logic               valid_o,
  output logic [1:0]         channel_o,
  output logic signed [23:0] sample_o,
  output logic               limited_o
);
  localparam logic [1:0] Droop = 2'd0;
  localparam logic [1:0] First = 2'd1;
  localparam logic [1:0] Second = 2'd2;

  // Terms are pairs of taps the same distance from the middle, the last one the middle with itself.
  function automatic logic [3:0] last_term(input logic [1:0] filter);
    case (filter)
      Droop:   last_term = 4'd2;
      First:   last_term = 4'd4;
      default: last_term = 4'd8;
    endcase
  endfunction

  // Minimax designs, 0 to 2.6 kHz: the half-bands for themselves, the first filter for the whole chain
  // behind a sinc of 256 (hdl/model_ingress.py tells how).
  function automatic logic signed [17:0] coefficient(input logic [1:0] filter, input logic [3:0] term);
    case ({
      filter, term
    })
      {Droop, 4'd0}:  coefficient = 18'sd2689;
      {Droop, 4'd1}:  coefficient = -18'sd27141;
      {Droop, 4'd2}:  coefficient = 18'sd89988;
      {First, 4'd0}:  coefficient = -18'sd499;
      {First, 4'd1}:  coefficient = 18'sd3922;
      {First, 4'd2}:  coefficient = -18'sd16981;
      {First, 4'd3}:  coefficient = 18'sd79094;
      {First, 4'd4}:  coefficient = 18'sd65536;
      {Second, 4'd0}: coefficient = -18'sd50;
      {Second, 4'd1}: coefficient = 18'sd275;
      {Second, 4'd2}: coefficient = -18'sd922;
      {Second, 4'd3}: coefficient = 18'sd2414;
      {Second, 4'd4}: coefficient = -18'sd5421;
      {Second, 4'd5}: coefficient = 18'sd11264;
      {Second, 4'd6}: coefficient = -18'sd24191;
      {Second, 4'd7}: coefficient = 18'sd82167;
      default:        coefficient = 18'sd65536;  // the middle of the second
    endcase
  endfunction

  // ---- what to do: filter, channel, term, one a clock --------------------------------------------
  logic run_q, finished;
  logic [1:0] phase_q;  // of four groups
  logic [1:0] filter_q, channel_q;
  logic [3:0] term_q;
  logic [1:0] last_filter;
  logic term_ends, channel_ends;
  logic       clear_q;
  logic [7:0] clear_place_q;

  assign last_filter  = phase_q == 2'd3 ? Second : (phase_q[0] ? First : Droop);
  assign term_ends    = term_q == last_term(filter_q);
  assign channel_ends = term_ends && channel_q == 2'd3;
  assign ready_o      = !clear_q;
  assign busy_o       = run_q || step_q != '0 || summed_q || result_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q     <= 1'b0;
      filter_q  <= Droop;
      channel_q <= '0;
      term_q    <= '0;
    end else if (valid_i && channel_i == 2'd3 && !clear_q) begin
      run_q <= 1'b1;
    end else if (run_q) begin
      term_q <= term_ends ? '0 : term_q + 1'b1;
      if (term_ends) channel_q <= channel_q + 1'b1;
      if (channel_ends) begin
        filter_q <= filter_q == last_filter ? Droop : filter_q + 1'b1;
        run_q    <= filter_q != last_filter;
      end
    end
  end

  // ---- rings of past samples: 8, 16 and 32 of each channel --------------------------------------
  logic [2:0] place_droop_q;  // of the newest sample
  logic [3:0] place_first_q;
  logic [4:0] place_second_q;

  function automatic logic [7:0] address(input logic [1:0] filter, input logic [1:0] channel, input logic [4:0] place);
    case (filter)
      Droop:   address = {3'b001, channel, place[2:0]};
      First:   address = {2'b01, channel, place[3:0]};
      default: address = {1'b1, channel, place};
    endcase
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q        <= '0;
      place_droop_q  <= '0;
      place_first_q  <= '0;
      place_second_q <= '0;
    end else if (finished) begin
      phase_q       <= phase_q + 1'b1;
      place_droop_q <= place_droop_q + 1'b1;
      place_first_q <= place_first_q + 1'b1;
      if (phase_q[0]) place_second_q <= place_second_q + 1'b1;
    end
  end

  logic [4:0] newest, back_a, back_b;  // places back from the newest

  always_comb begin
    case (filter_q)
      Droop: begin
        newest = {2'd0, place_droop_q};
        back_a = {1'b0, term_q};
        back_b = 5'd4 - {1'b0, term_q};
      end
      First: begin
        newest = {1'b0, place_first_q};
        back_a = term_ends ? 5'd7 : {term_q, 1'b0};
        back_b = 5'd14 - back_a;
      end
      default: begin
        newest = place_second_q;
        back_a = term_ends ? 5'd15 : {term_q, 1'b0};
        back_b = 5'd30 - back_a;
      end
    endcase
  end

  // ---- memory: two copies, so that two words can be read at once ----------------------------------
  logic               write;
  logic [7:0]         write_place;
  logic signed [23:0] write_data;
  logic signed [23:0] line_a_q [256];
  logic signed [23:0] line_b_q [256];
  logic signed [23:0] read_a_q, read_b_q;

  always_comb begin
    write       = clear_q || valid_i || (result && result_filter_q != Second);
    write_place = address(Droop, channel_i, {2'd0, place_droop_q});
    write_data  = sample_i;
    if (clear_q) begin
      write_place = clear_place_q;
      write_data  = '0;
    end else if (result) begin
      write_place = result_filter_q == Droop ? address(First, result_channel_q, {1'b0, place_first_q})
                                             : address(Second, result_channel_q, place_second_q);
      write_data  = limited;
    end
  end

  always_ff @(posedge clk_i) begin
    if (write) begin
      line_a_q[write_place] <= write_data;
      line_b_q[write_place] <= write_data;
    end
    read_a_q <= line_a_q[address(filter_q, channel_q, newest - back_a)];
    read_b_q <= line_b_q[address(filter_q, channel_q, newest - back_b)];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      clear_q       <= 1'b1;
      clear_place_q <= '0;
    end else if (clear_q) begin
      clear_place_q <= clear_place_q + 1'b1;
      clear_q       <= clear_place_q != '1;
    end
  end

  // ---- word, pair, product, sum, rounding: one stage a clock --------------------------------------
  logic [3:0] step_q;  // word read, word held, pair, product
  logic [3:0] begin_q, end_q, whole_q;  // first and last term, last of the group
  logic [7:0] filter_line_q, channel_line_q;
  logic signed [17:0] factor1_q, factor2_q, factor_q;
  logic signed [23:0] word_a_q, word_b_q;
  logic signed [24:0] pair_q;
  logic signed [42:0] product_q;
  logic signed [46:0] sum_q;
  logic signed [29:0] rounded_q;
  logic summed_q, result_q, summed_whole_q, result_whole_q;
  logic [1:0] summed_filter_q, summed_channel_q, result_filter_q, result_channel_q;
  logic signed [23:0] limited;
  logic result, beyond;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q           <= '0;
      begin_q          <= '0;
      end_q            <= '0;
      whole_q          <= '0;
      filter_line_q    <= '0;
      channel_line_q   <= '0;
      factor1_q        <= '0;
      factor2_q        <= '0;
      factor_q         <= '0;
      word_a_q         <= '0;
      word_b_q         <= '0;
      pair_q           <= '0;
      product_q        <= '0;
      sum_q            <= '0;
      rounded_q        <= '0;
      summed_q         <= 1'b0;
      summed_whole_q   <= 1'b0;
      summed_filter_q  <= '0;
      summed_channel_q <= '0;
      result_q         <= 1'b0;
      result_whole_q   <= 1'b0;
      result_filter_q  <= '0;
      result_channel_q <= '0;
    end else begin
      step_q           <= {step_q[2:0], run_q};
      begin_q          <= {begin_q[2:0], term_q == '0};
      end_q            <= {end_q[2:0], term_ends};
      whole_q          <= {whole_q[2:0], channel_ends && filter_q == last_filter};
      filter_line_q    <= {filter_line_q[5:0], filter_q};
      channel_line_q   <= {channel_line_q[5:0], channel_q};
      factor1_q        <= coefficient(filter_q, term_q);
      factor2_q        <= factor1_q;
      factor_q         <= factor2_q;
      word_a_q         <= read_a_q;
      word_b_q         <= read_b_q;
      pair_q           <= 25'(word_a_q) + 25'(word_b_q);
      product_q        <= pair_q * factor_q;
      if (step_q[3]) sum_q <= begin_q[3] ? 47'(product_q) : sum_q + 47'(product_q);
      summed_q         <= step_q[3] && end_q[3];
      summed_whole_q   <= whole_q[3];
      summed_filter_q  <= filter_line_q[7:6];
      summed_channel_q <= channel_line_q[7:6];
      rounded_q        <= summed_filter_q == Droop ? 30'((sum_q + 47'sd65536) >>> 17)
                                                   : 30'((sum_q + 47'sd131072) >>> 18);
      result_q         <= summed_q;
      result_whole_q   <= summed_whole_q;
      result_filter_q  <= summed_filter_q;
      result_channel_q <= summed_channel_q;
    end
  end

  assign result   = result_q;
  assign finished = result_q && result_whole_q;
  assign beyond   = rounded_q > 30'sd8388607 || rounded_q < -30'sd8388608;

  always_comb begin
    limited = rounded_q[23:0];
    if (beyond) limited = rounded_q[29] ? 24'sh800000 : 24'sh7FFFFF;
  end

  assign valid_o   = result_q && result_filter_q == Second;
  assign channel_o = result_channel_q;
  assign sample_o  = limited;
  assign limited_o = result_q && beyond;
endmodule
