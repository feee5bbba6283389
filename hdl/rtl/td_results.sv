// Results of a publication: 64 words of 32 bits in one of eight banks of a memory. What is written goes to a bank
// nobody sees; publishing_i shows it as a whole, take_i (SNAPSHOT) holds what is shown for reading until the next
// take_i. So words read belong to one publication, and publishing never waits for a reader. Every word but
// number 0 must be written before each publishing_i; word 0 is whole_i of that publication.
// totals_i reads by other numbers, TOTALS of hdl/regs/teiden_frontend.rdl: 0 the RMS of i1, 2 to 7 the powers of both
// elements, held with take_i too, but of the latest publication that was whole; 8 to 15 the energies of both, of the
// one shown at the last take_energy_i.
// Latency: a read takes 2 clocks from req_i to ack_o with data_o; before the first publication words are 0.
// Limits: 8 clocks from one publishing_i to the next.
module td_results (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        write_i,
  input  logic [5:0]  index_i,       // word; those from 44 on are shown as totals only
  input  logic [31:0] data_i,
  input  logic        publishing_i,
  input  logic        whole_i,
  input  logic        take_i,
  input  logic        take_energy_i,
  input  logic        req_i,
  input  logic        totals_i,
  input  logic [5:0]  addr_i,        // word
  output logic        ack_o,
  output logic [31:0] data_o
);
  localparam logic [5:0] Words = 6'd44, LeftOut = 6'd7;
  localparam logic [5:0] RmsI1 = 6'd2, Power = 6'd18, Energy = 6'd44;  // Power: of word 0 of TOTALS; Energy: of 8
  localparam logic [3:0] TotalsLeftOut = 4'd1;

  // Banks: written, shown, shown last as a whole, held of these, next to be written; 1: there was a publication.
  logic [2:0] fill_q, shown_q, whole_q, held_q, held_whole_q, held_energy_q, spare_q;
  logic shown_valid_q, whole_valid_q, held_valid_q, held_whole_valid_q, held_energy_valid_q;
  logic shown_flag_q, held_flag_q;  // word 0
  logic        seeks;                      // spare_q is in use
  logic [31:0] words_q [512];
  logic [31:0] word_q;
  logic [8:0]  place;
  logic valid, flags_q, flag_q, valid_q, read_q;

  // A take_i or take_energy_i holds what is shown, so that spare_q stays good.
  assign seeks = spare_q == fill_q || spare_q == shown_q || spare_q == whole_q
              || spare_q == held_q || spare_q == held_whole_q || spare_q == held_energy_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q              <= '0;
      shown_q             <= '0;
      whole_q             <= '0;
      held_q              <= '0;
      held_whole_q        <= '0;
      held_energy_q       <= '0;
      spare_q             <= 3'd1;
      shown_valid_q       <= 1'b0;
      whole_valid_q       <= 1'b0;
      held_valid_q        <= 1'b0;
      held_whole_valid_q  <= 1'b0;
      held_energy_valid_q <= 1'b0;
    end else begin
      if (seeks) spare_q <= spare_q + 1'b1;
      if (publishing_i) begin
        fill_q        <= spare_q;
        shown_q       <= fill_q;
        shown_valid_q <= 1'b1;
        shown_flag_q  <= whole_i;
        if (whole_i) begin
          whole_q       <= fill_q;
          whole_valid_q <= 1'b1;
        end
      end
      if (take_i) begin
        held_q             <= shown_q;
        held_valid_q       <= shown_valid_q;
        held_flag_q        <= shown_flag_q;
        held_whole_q       <= whole_q;
        held_whole_valid_q <= whole_valid_q;
      end
      if (take_energy_i) begin
        held_energy_q       <= shown_q;
        held_energy_valid_q <= shown_valid_q;
      end
    end
  end

  always_comb begin
    if (!totals_i) begin
      place = {held_q, addr_i};
      valid = held_valid_q && addr_i < Words && addr_i != LeftOut;
    end else if (addr_i[3]) begin
      place = {held_energy_q, Energy + 6'(addr_i[2:0])};
      valid = held_energy_valid_q;
    end else begin
      place = {held_whole_q, addr_i[2:0] == '0 ? RmsI1 : Power + 6'(addr_i[2:0])};
      valid = held_whole_valid_q && addr_i[3:0] != TotalsLeftOut;
    end
  end

  always_ff @(posedge clk_i) begin
    if (write_i) words_q[{fill_q, index_i}] <= data_i;
    if (req_i) word_q <= words_q[place];
  end

  always_ff @(posedge clk_i) begin
    read_q <= rst_ni && req_i;
    ack_o  <= rst_ni && read_q;
    if (req_i) begin
      flags_q <= !totals_i && addr_i == '0;
      flag_q  <= held_flag_q;
      valid_q <= valid;
    end
  end

  always_ff @(posedge clk_i) begin
    if (read_q) data_o <= !valid_q ? '0 : (flags_q ? 32'(flag_q) : word_q);
  end
endmodule
