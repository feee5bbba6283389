// Products of the four channels and their sums over the half cycles of u1, on the shared multiplier
// (td_product), in fixed clocks of a sample (slot_i). n: the newest word of td_channels, which is one
// sample behind the ADC; places of the sums:
//   0 u1 i1   1 u2 i2   2 u1 u1   3 i1 i1   4 u2 u2   5 i2 i2       of word n - 7, split at a boundary
//   8 (u1 + u2)^2   9 (i1 - i2)^2, with opposed_i (u1 - u2)^2 and (i1 + i2)^2
//   6, 7  reactive: i[n-36] (u[n-72] - u[n]) / 2 of elements 1 and 2, mean sin(36 w) Q, w = 2 pi f / fs:
//         exactly 90 degrees at any frequency; divided by sin(36 w) in td_account
// Products are rounded down by 2^16 (reactive 2^17), so sums count 2^8 squared codes x sample. At a
// boundary the product is split by the covered fraction.
//
// closed_o is high for one clock behind slot 62 when a half cycle ended; from then until the next boundary sum_o gives
// the sums of index_i, with former_i those of the half cycle before. gap_o comes in its place when a restart_i ended
// what belongs to no half cycle, between the last fixed boundary of a loss and the first crossing after it: its sums
// are then those with former_i. run_o is the active energy of every sample up to word n - 7, of both elements with
// both_i.
//
// A sum has three slots, one after the other. In steps, of sum k, from slot 17 + 3 k on: words are read, brought
// together (19), multiplied (22); the product comes (26), is added (27), at a boundary multiplied by the fraction
// (29); that part comes (33), closes the sum and begins the next one (34, 35).
module td_sums (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic        [5:0]  slot_i,
  input  logic               opposed_i,
  input  logic               both_i,
  input  logic               write_i,     // from td_channels
  input  logic        [1:0]  channel_i,
  input  logic signed [30:0] word_i,
  output logic               settled_o,   // 4096 samples lie before this one
  input  logic               boundary_i,  // from td_zero_cross, steady from slot 20 on
  input  logic               restart_i,
  input  logic        [15:0] fraction_i,
  output logic               next_o,      // start_o comes with the next clock
  output logic               start_o,     // operands for td_product; 0 in other slots
  output logic signed [51:0] a_o,
  output logic signed [34:0] b_o,
  input  logic signed [80:0] product_i,   // 4 slots after its operands
  output logic               closed_o,
  output logic               gap_o,
  input  logic        [3:0]  index_i,
  input  logic               former_i,
  output logic signed [54:0] sum_o,
  output logic signed [63:0] run_o
);
  localparam logic [5:0] FirstRead = 6'd17;
  localparam logic [3:0] Sums = 4'd10;
  localparam logic [3:0] Values = 4'd3;  // sums further on when a product is added
  localparam logic [3:0] Parts = 4'd5;  // and when its part is
  localparam logic [3:0] Last = Parts + Sums - 4'd1;
  localparam logic [4:0] Run = 5'd12;  // place of run_o among the sums

  // ---- steps ---------------------------------------------------------------------------------------------
  logic read_on_q, on_q;  // words are read; one clock later
  logic [3:0] read_k_q, k_q;  // sum
  logic [1:0] read_step_q, step_q;
  logic end_of;

  assign end_of = read_k_q == Last + 4'd1;  // on_q ends one clock later

  always_ff @(posedge clk_i) begin
    on_q   <= rst_ni && read_on_q && !end_of;
    k_q    <= read_k_q;
    step_q <= read_step_q;
    if (!rst_ni || end_of) read_on_q <= 1'b0;
    else if (slot_i == FirstRead - 6'd1) read_on_q <= 1'b1;
    if (!read_on_q) begin
      read_k_q    <= '0;
      read_step_q <= '0;
    end else begin
      read_step_q <= read_step_q[1] ? '0 : read_step_q + 1'b1;
      if (read_step_q[1]) read_k_q <= read_k_q + 1'b1;
    end
  end

  // ---- words of the last samples: one memory, one read a clock -------------------------------------------
  typedef enum logic [1:0] {
    Then,
    Newest,
    Quarter,
    Half
  } age_e;  // 7, 0, 36, 72 samples ago
  logic [6:0] place_q, delay;  // place of the newest word
  logic        [12:0] count_q;         // samples so far, this one included, up to 4097
  logic        [1:0]  channel;
  age_e               age;
  logic [3:0] use_d, use1_q, use2_q;  // of the word: to a, to b, kept, taken off what was kept
  logic               blank;                  // 0 instead of the word
  logic signed [30:0] line_q [512];
  logic signed [30:0] read_q, word_q;
  logic held_q;  // that sample has been

  assign settled_o = count_q > 13'd4096;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      place_q <= '0;
      count_q <= '0;
    end else if (slot_i == 6'd1) begin
      place_q <= place_q + 1'b1;
      if (!settled_o) count_q <= count_q + 1'b1;
    end
  end

  always_comb begin
    channel = 2'd0;
    age     = Then;
    blank   = 1'b0;
    use_d   = 4'b0000;
    unique case ({
      read_k_q, read_step_q
    })
      {4'd0, 2'd1}: use_d = 4'b0100;
      {4'd0, 2'd2}: begin channel = 2'd1; use_d = 4'b1000; end
      {4'd1, 2'd1}: begin channel = 2'd2; use_d = 4'b0100; end
      {4'd1, 2'd2}: begin channel = 2'd3; use_d = 4'b1000; end
      {4'd2, 2'd1}: use_d = 4'b0100;
      {4'd2, 2'd2}: use_d = 4'b1000;
      {4'd3, 2'd1}: begin channel = 2'd1; use_d = 4'b0100; end
      {4'd3, 2'd2}: begin channel = 2'd1; use_d = 4'b1000; end
      {4'd4, 2'd1}: begin channel = 2'd2; use_d = 4'b0100; end
      {4'd4, 2'd2}: begin channel = 2'd2; use_d = 4'b1000; end
      {4'd5, 2'd1}: begin channel = 2'd3; use_d = 4'b0100; end
      {4'd5, 2'd2}: begin channel = 2'd3; use_d = 4'b1000; end
      {4'd6, 2'd0}: begin age = Half; use_d = 4'b0010; end
      {4'd6, 2'd1}: begin age = Newest; use_d = 4'b0101; end
      {4'd6, 2'd2}: begin channel = 2'd1; age = Quarter; use_d = 4'b1000; end
      {4'd7, 2'd0}: begin channel = 2'd2; age = Half; use_d = 4'b0010; end
      {4'd7, 2'd1}: begin channel = 2'd2; age = Newest; use_d = 4'b0101; end
      {4'd7, 2'd2}: begin channel = 2'd3; age = Quarter; use_d = 4'b1000; end
      {4'd8, 2'd0}: use_d = 4'b0010;
      {4'd8, 2'd1}: begin channel = 2'd2; use_d = {3'b011, opposed_i}; end
      {4'd9, 2'd0}: begin channel = 2'd1; use_d = 4'b0010; end
      {4'd9, 2'd1}: begin channel = 2'd3; use_d = {3'b011, !opposed_i}; end
      {4'd8, 2'd2}, {4'd9, 2'd2}: begin blank = 1'b1; use_d = 4'b1000; end
      default: ;
    endcase
    unique case (age)
      Newest:  delay = 7'd0;
      Quarter: delay = 7'd36;
      Half:    delay = 7'd72;
      default: delay = 7'd7;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (write_i) line_q[{channel_i, place_q}] <= word_i;
    read_q <= line_q[{channel, place_q - delay}];
    held_q <= count_q > 13'(delay) && !blank;
  end

  always_ff @(posedge clk_i) begin
    use1_q <= rst_ni && read_on_q ? use_d : '0;
    use2_q <= rst_ni ? use1_q : '0;
    word_q <= held_q ? read_q : '0;  // a memory without reset: what was not written yet counts as 0
  end

  // ---- operands ---------------------------------------------------------------------------------------
  // Each is 0 but in its clock, so that none needs to be chosen. The last word of a sum goes to a, what goes to b waits.
  logic signed [31:0] kept_q, joined, a_q, b_next_q, b_q;
  logic signed [47:0] value_q, whole_q;
  logic [15:0] fraction_q;
  logic next_product, next_part, product_q, part_q;

  assign joined       = use2_q[0] ? kept_q - 32'(word_q) : kept_q + 32'(word_q);
  assign next_product = on_q && step_q == 2'd0 && k_q >= 4'd1 && k_q <= Sums;  // a clock behind the last word
  assign next_part    = on_q && step_q == 2'd1 && boundary_i && k_q >= Values && k_q < Values + Sums;
  assign next_o       = next_product || next_part;
  assign start_o      = product_q || part_q;
  assign a_o          = 52'(a_q) | 52'(whole_q);
  assign b_o          = 35'(b_q) | $signed({19'd0, fraction_q});

  always_ff @(posedge clk_i) begin
    product_q  <= rst_ni && next_product;
    part_q     <= rst_ni && next_part;
    kept_q     <= use2_q[1] ? joined : '0;
    a_q        <= use2_q[3] ? joined : '0;
    if (use2_q[2]) b_next_q <= joined;
    b_q        <= next_product ? b_next_q : '0;
    whole_q    <= next_part ? value_q : '0;
    fraction_q <= next_part ? fraction_i : '0;
  end

  // ---- sums: first the products of this sample, then what was before them ------------------------------------
  // Places of the memory: since the last boundary; 16 more: products of this sample; Run.
  logic signed [63:0] sums_q[32];
  logic signed [63:0] x_q, sum;
  logic signed [47:0] y_q, y;  // product, then its part; what is added
  logic               round_q;   // half of the last bit of y_q
  logic               fresh_q;   // no sample has been since reset: sums are 0
  logic part_on, run_on, minus, halved, write, end_on;
  logic [3:0] value_k, part_k;
  logic [4:0] x_place, place;

  assign value_k = k_q - Values;
  assign part_k  = k_q - Parts;
  assign part_on = boundary_i && k_q >= Parts;
  assign run_on  = !part_on && (value_k == 4'd0 || (value_k == 4'd1 && both_i));
  assign halved  = k_q == 4'd8 || k_q == 4'd9;  // product_i is a reactive one
  assign minus   = part_on && step_q == 2'd2;
  assign end_on  = on_q && k_q == Last && step_q == 2'd2;

  always_comb begin
    unique case (step_q)
      2'd0: begin
        x_place = {1'b0, boundary_i ? part_k : value_k};
        place   = {1'b1, value_k};
        write   = on_q;
      end
      2'd1: begin
        x_place = part_on ? {1'b1, part_k} : Run;
        place   = {1'b0, value_k};
        write   = on_q && !boundary_i;
      end
      default: begin
        x_place = Run;
        place   = part_on ? {1'b0, part_k} : Run;
        write   = on_q && (part_on || run_on);
      end
    endcase
  end

  assign y   = minus ? ~y_q : y_q;
  assign sum = x_q + 64'(y) + 64'(part_on && step_q != 2'd0 && (round_q ^ minus));

  always_ff @(posedge clk_i) begin
    if (step_q == 2'd2 || (fresh_q && !(step_q == 2'd1 && part_on))) x_q <= '0;
    else x_q <= sums_q[x_place];
    if (write) sums_q[place] <= sum;
    if (step_q == 2'd2) y_q <= halved ? product_i[64:17] : product_i[63:16];
    if (step_q == 2'd0) value_q <= y_q;
    if (step_q == 2'd0 && part_on) begin
      y_q     <= product_i[63:16];
      round_q <= product_i[15];
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fresh_q <= 1'b1;
      run_o   <= '0;
    end else begin
      if (end_on) fresh_q <= 1'b0;
      if (on_q && step_q == 2'd2 && run_on) run_o <= sum;
    end
  end

  // ---- closed half cycles -------------------------------------------------------------------------------
  logic signed [54:0] half_q [32];  // two of them by turns
  logic               newest_q;     // which of the two

  assign sum_o = half_q[{newest_q^former_i, index_i}];

  always_ff @(posedge clk_i) begin
    if (on_q && step_q == 2'd1 && part_on) half_q[{!newest_q, part_k}] <= sum[54:0];
    closed_o <= rst_ni && end_on && boundary_i && !restart_i;
    gap_o    <= rst_ni && end_on && boundary_i && restart_i;
    if (!rst_ni) newest_q <= 1'b0;
    else if (end_on && boundary_i && !restart_i) newest_q <= !newest_q;
  end
endmodule
