import{e as a}from"./chunk-ZB3LYRBF.js";export{a as initialize};
