"""Run apart, as ``python gurux_reader.py TITLE ENCRYPTION_KEY AUTHENTICATION_KEY`` with an APDU in hex on stdin.

gurux-dlms is GPL: nothing of the project imports it, and it only ever runs in a process of its own. Prints its XML.
"""

import sys

from gurux_dlms import GXByteBuffer
from gurux_dlms.enums import Security
from gurux_dlms.GXDLMSTranslator import GXDLMSTranslator

title, encryption, authentication = (bytearray.fromhex(word) for word in sys.argv[1:4])
translator = GXDLMSTranslator()
translator.comments = True
translator.security = Security.AUTHENTICATION_ENCRYPTION
translator.systemTitle = title
translator.blockCipherKey = encryption
translator.authenticationKey = authentication
print(translator.pduToXml(GXByteBuffer(bytearray.fromhex(sys.stdin.read().strip()))))
