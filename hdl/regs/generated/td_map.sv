// Made by hdl/regs/generate.py from teiden_frontend.rdl; do not edit.
// mapped_o: a register or memory is at this word; locked_o: the write lock covers it; beyond_o: above
// the last word that it covers. Combinational.
module td_map (
  input  logic [12:0] address_i,  // words
  output logic        mapped_o,
  output logic        locked_o,
  output logic        beyond_o
);
  assign mapped_o = (address_i <= 13'h001D)
                 || (address_i >= 13'h0020 && address_i <= 13'h0026)
                 || (address_i >= 13'h0028 && address_i <= 13'h0029)
                 || (address_i >= 13'h002C && address_i <= 13'h0034)
                 || (address_i >= 13'h0038 && address_i <= 13'h003C)
                 || address_i == 13'h0050
                 || (address_i >= 13'h0052 && address_i <= 13'h0061)
                 || (address_i >= 13'h0068 && address_i <= 13'h006B)
                 || (address_i >= 13'h0200 && address_i <= 13'h0216)
                 || (address_i >= 13'h0218 && address_i <= 13'h022A)
                 || (address_i >= 13'h0400 && address_i <= 13'h05FF)
                 || (address_i >= 13'h1000);
  assign locked_o = (address_i >= 13'h0028 && address_i <= 13'h0029)
                 || (address_i >= 13'h002C && address_i <= 13'h0034)
                 || (address_i >= 13'h0068 && address_i <= 13'h006B)
                 || address_i == 13'h0200
                 || (address_i >= 13'h0202 && address_i <= 13'h0204)
                 || (address_i >= 13'h0206 && address_i <= 13'h020D)
                 || (address_i >= 13'h0218 && address_i <= 13'h0219)
                 || (address_i >= 13'h0220 && address_i <= 13'h0221);
  assign beyond_o = address_i > 13'h0221;
endmodule
